"""Optimisation of one run: an optimiser for each network, gradients over all processes, the moving average."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import reduce
from torch import Tensor, nn

from hypersd.training.adapters import ema_update
from hypersd.training.objective import TrainedNetwork
from hypersd.training.precision import Precision

OptimizerName = Literal["adamw", "adamw8bit"]


class Optimization:
    """Optimisers of the networks' weights, and a moving average of the first network's.

    Args:
        accelerator: has the device and the other processes.
        networks: are moved to the device.
        optimizer: see `build_optimizer`.
        precision: float16 needs loss scaling, and skips a step whose scaled gradients overflow.
        max_grad_norm: gradients of a network are clipped to this norm.
        ema_decay: of the moving average; None keeps none.

    Raises:
        ValueError: the optimiser cannot be used on this machine.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        networks: Sequence[TrainedNetwork],
        *,
        optimizer: OptimizerName = "adamw",
        precision: Precision = "no",
        max_grad_norm: float,
        ema_decay: float | None,
    ) -> None:
        self.accelerator, self.networks = accelerator, networks
        self.max_grad_norm, self.ema_decay = max_grad_norm, ema_decay
        for network in networks:
            network.module.to(accelerator.device)
        self.optimizers = {network.name: build_optimizer(optimizer, network) for network in networks}
        scaled, device = precision == "fp16", accelerator.device.type
        self.scalers = {network.name: torch.amp.GradScaler(device, enabled=scaled) for network in networks}
        first = networks[0].parameters if ema_decay is not None else []
        self.shadow = [parameter.detach().clone() for parameter in first]

    def backward(self, network: TrainedNetwork, loss: Tensor) -> None:
        """Add the gradient of a loss to the gradients of a network's weights."""
        # Not autograd.grad: its gradients' strides may differ from the weights', which the fused optimiser ignores.
        self.scalers[network.name].scale(loss).backward(inputs=network.parameters)

    def clip(self, network: TrainedNetwork, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Average a network's gradient and scalar losses over the processes, and clip the gradient.

        Returns:
            The losses, and `"gradient"`, its norm before clipping. A value that is not finite in one process is not
            finite in the average, so all processes see it at the same step. A norm that is infinite only because of
            float16's loss scale is left out: the step will be skipped and the scale lowered.
        """
        values = torch.stack([value.detach().float().reshape(()) for value in losses.values()])
        if self.accelerator.num_processes > 1:
            values = self._share(network, values)
        scaler = self.scalers[network.name]
        scaler.unscale_(self.optimizers[network.name])
        norm = nn.utils.clip_grad_norm_(network.parameters, self.max_grad_norm)
        measured = torch.cat([values, norm.reshape(1).to(values)]).tolist()
        named = dict(zip([*losses, "gradient"], measured, strict=True))
        if not math.isfinite(named["gradient"]) and scaler.is_enabled() and scaler.get_scale() > 1:
            del named["gradient"]
        return named

    def step(self, network: TrainedNetwork, learning_rate: float) -> None:
        """Update a network with its clipped gradient, and clear the gradient."""
        optimizer, scaler = self.optimizers[network.name], self.scalers[network.name]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    def _share(self, network: TrainedNetwork, values: Tensor) -> Tensor:
        """Average the gradients and the values `(N,)` over the processes in one message; return the values."""
        held = [parameter for parameter in network.parameters if parameter.grad is not None]
        gradients = [parameter.grad.flatten() for parameter in held if parameter.grad is not None]
        mean: Any = reduce(torch.cat([*gradients, values.to(gradients[0])]), "mean")
        *parts, averaged = mean.split([*(parameter.numel() for parameter in held), len(values)])
        for parameter, part in zip(held, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        return averaged

    def average(self, number: int) -> None:
        """Update the moving average; its decay is smaller in the first steps, so that initial weights are forgotten."""
        if self.ema_decay is None:
            return
        decay = min(self.ema_decay, (1 + number) / (10 + number))
        ema_update(self.shadow, self.networks[0].parameters, decay)

    @contextmanager
    def averaged(self) -> Generator[None]:
        """Within this context the first network has its averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for average, weight in zip(self.shadow, self.networks[0].parameters if self.shadow else [], strict=True):
            kept = average.clone()
            average.copy_(weight)
            weight.copy_(kept)

    @torch.no_grad()
    def finish(self) -> None:
        """Copy the averaged weights into the first network."""
        for weight, average in zip(self.networks[0].parameters if self.shadow else [], self.shadow, strict=True):
            weight.copy_(average)

    def tensors(self) -> dict[str, Tensor]:
        """The trained weights and their average, by their names in a checkpoint."""
        named = {
            f"weights.{network.name}.{name}": value
            for network in self.networks
            for name, value in network.weights().items()
        }
        return named | {f"ema.{index}": value for index, value in enumerate(self.shadow)}

    def scales(self) -> dict[str, Any]:
        """States of float16's loss scalers, by network; empty in other precisions."""
        return {name: scaler.state_dict() for name, scaler in self.scalers.items() if scaler.is_enabled()}

    def restore_scales(self, states: Mapping[str, Any]) -> None:
        """Undo `scales`."""
        for name, state in states.items():
            self.scalers[name].load_state_dict(state)


def build_optimizer(name: OptimizerName, network: TrainedNetwork) -> torch.optim.Optimizer:
    """AdamW over a network's weights, or bitsandbytes' AdamW with an 8-bit state.

    Raises:
        ValueError: see `check_optimizer`.
    """
    check_optimizer(name)
    rates: Any = {"lr": network.learning_rate, "betas": network.betas, "weight_decay": network.weight_decay}
    if name == "adamw8bit":
        return import_module("bitsandbytes").optim.AdamW8bit(network.parameters, **rates)
    return torch.optim.AdamW(network.parameters, fused=True, **rates)


def check_optimizer(name: OptimizerName) -> None:
    """Check that an optimiser can be used on this machine.

    Raises:
        ValueError: its library is not installed, or it needs a GPU.
    """
    if name == "adamw8bit" and find_spec("bitsandbytes") is None:
        raise ValueError("adamw8bit needs bitsandbytes: run `pip install bitsandbytes`, or train with adamw")
    if name == "adamw8bit" and not torch.cuda.is_available():
        raise ValueError("adamw8bit needs a CUDA GPU; train with adamw")
