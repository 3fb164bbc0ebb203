"""The moving parts of one run: an optimiser for each player, gradients over all processes, the moving average."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import reduce
from torch import Tensor, nn

from hypersd.training.objective import TrainedNetwork


class Optimization:
    """Optimisers over the players' weights, and a moving average of the first player's.

    Args:
        accelerator: knows the device and the other processes.
        networks: their networks are moved to the device.
        max_grad_norm: gradients of a player are scaled down to this norm.
        ema_decay: of the moving average; None keeps none.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        networks: Sequence[TrainedNetwork],
        *,
        max_grad_norm: float,
        ema_decay: float | None,
    ) -> None:
        self.accelerator, self.networks = accelerator, networks
        self.max_grad_norm, self.ema_decay = max_grad_norm, ema_decay
        for network in networks:
            network.module.to(accelerator.device)
        self.optimizers = {
            network.name: torch.optim.AdamW(
                network.parameters,
                lr=network.learning_rate,
                betas=network.betas,
                weight_decay=network.weight_decay,
                fused=True,
            )
            for network in networks
        }
        first = networks[0].parameters if ema_decay is not None else []
        self.shadow = [parameter.detach().clone() for parameter in first]

    def backward(self, network: TrainedNetwork, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Leave the clipped gradient of `losses["loss"]` in a player's weights; nothing moves yet.

        Returns:
            The losses, averaged over the processes, and `"gradient"`, its norm before clipping. Whatever one process
            has that is not finite is not finite in the average either, so all processes see it at the same step.
        """
        # Not autograd.grad: its gradients may lie in memory unlike their weights, which the fused optimiser ignores.
        losses["loss"].backward(inputs=network.parameters)
        values = torch.stack([value.detach().float().reshape(()) for value in losses.values()])
        if self.accelerator.num_processes > 1:
            values = self._share(network, values)
        norm = nn.utils.clip_grad_norm_(network.parameters, self.max_grad_norm)
        measured = torch.cat([values, norm.reshape(1).to(values)]).tolist()
        return dict(zip([*losses, "gradient"], measured, strict=True))

    def step(self, network: TrainedNetwork, learning_rate: float) -> None:
        """Move a player along the gradient that `backward` left."""
        optimizer = self.optimizers[network.name]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
        optimizer.zero_grad()

    def _share(self, network: TrainedNetwork, values: Tensor) -> Tensor:
        """Average the gradients, and the values `(N,)`, over the processes, as one message; returns the values."""
        held = [parameter for parameter in network.parameters if parameter.grad is not None]
        gradients = [parameter.grad.flatten() for parameter in held if parameter.grad is not None]
        mean: Any = reduce(torch.cat([*gradients, values.to(gradients[0])]), "mean")
        *parts, averaged = mean.split([*(parameter.numel() for parameter in held), len(values)])
        for parameter, part in zip(held, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        return averaged

    @torch.no_grad()
    def average(self, number: int) -> None:
        """Move the moving average; young averages follow faster, so that the start is forgotten."""
        if self.ema_decay is None:
            return
        decay = min(self.ema_decay, (1 + number) / (10 + number))
        for average, weight in zip(self.shadow, self.networks[0].parameters, strict=True):
            average.lerp_(weight, 1 - decay)

    @contextmanager
    def averaged(self) -> Generator[None]:
        """While this context is open, the first network has its averaged weights."""
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
        """Leave the averaged weights in the first network."""
        for weight, average in zip(self.networks[0].parameters if self.shadow else [], self.shadow, strict=True):
            weight.copy_(average)

    def tensors(self) -> dict[str, Tensor]:
        """The weights that move and their average, by the names that they have in a checkpoint."""
        named = {
            f"weights.{network.name}.{name}": value
            for network in self.networks
            for name, value in network.weights().items()
        }
        return named | {f"ema.{index}": value for index, value in enumerate(self.shadow)}
