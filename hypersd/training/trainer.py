"""The one training loop.

A method is an `Objective`: it names its players (whose weights move, and how fast) and turns a batch into a loss for
each of them in turn. The loop does the rest: precision, gradients averaged over processes, clipping, the learning
rate, moving averages, logs, sample grids, checkpoints. Every random number of a step is drawn from generators seeded
by (seed, step, process), so a resumed run repeats what an unbroken one would have done.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import reduce
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from hypersd.files import atomic_path
from hypersd.training.checkpoints import load_state, optimizer_tensors, restore_optimizer, save_state
from hypersd.training.precision import half_precision

log = logging.getLogger(__name__)

Batch = TypeVar("Batch")
BatchIn_contra = TypeVar("BatchIn_contra", contravariant=True)


class Stop(Exception):  # noqa: N818 - nothing is wrong
    """An objective ends its training early, from `after_step`; the message says why."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a training runs.

    Args:
        out: folder of the run: `state/`, `log.jsonl`, `samples/`, and whatever the objective saves.
        steps: optimiser steps in all.
        decay_from: fraction of the steps after which the learning rate falls linearly to zero.
        warmup: steps over which the learning rate rises linearly from zero.
        ema_decay: decay of the moving average kept of the first player's weights; None keeps none.
        precision: `"bf16"` (autocast, where the device computes in it; see `half_precision`) or `"no"` (float32).
        save_every: seconds between checkpoints.
        sample_every: steps between sample grids; 0 draws none.
        cpu: stay on the CPU even if there is an accelerator.
    """

    out: Path
    steps: int
    seed: int = 0
    warmup: int = 100
    decay_from: float = 0.5
    max_grad_norm: float = 1.0
    ema_decay: float | None = None
    precision: Literal["bf16", "no"] = "bf16"
    log_every: int = 20
    save_every: float = 120.0
    sample_every: int = 0
    cpu: bool = False


@dataclass(frozen=True, kw_only=True)
class Player:
    """A set of weights with an optimiser of its own; a generator and its discriminator are two players."""

    name: str
    network: nn.Module
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The weights that move."""
        return [parameter for parameter in self.network.parameters() if parameter.requires_grad]

    def weights(self) -> dict[str, Tensor]:
        """The weights that move, by name."""
        return {name: value for name, value in self.network.named_parameters() if value.requires_grad}


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step may know: its number, how far along the run is in [0, 1), and its own random numbers."""

    number: int
    progress: float
    device: torch.device
    generator: torch.Generator
    rng: np.random.Generator


class Objective(Protocol[BatchIn_contra]):
    """A training method."""

    @property
    def players(self) -> Sequence[Player]:
        """Whose weights move, in the order in which they take their turn within a step."""
        ...

    def loss(self, player: str, batch: BatchIn_contra, step: Step) -> Mapping[str, Tensor]:
        """Named scalar losses of a player; `"loss"` is the one that is minimised, the others are logged."""
        ...

    def after_step(self, step: Step) -> None:
        """Called once all players have moved (to move a target network, say).

        Raises:
            Stop: the training is to end here.
        """
        ...

    def state(self) -> Mapping[str, Tensor]:
        """Tensors besides the players' weights that a resumed run needs; loaded in place."""
        ...

    def sample(self) -> Image.Image | None:
        """A grid of what the model draws now, for people to look at."""
        ...


@dataclass
class Trainer:
    """Runs an objective: `Trainer(config).run(objective, batches)`."""

    config: TrainingConfig
    accelerator: Accelerator = field(init=False)

    def __post_init__(self) -> None:
        # Without a precision: accelerate keeps one for the whole process and refuses a second training another.
        self.accelerator = Accelerator(cpu=self.config.cpu)

    def run(self, objective: Objective[Batch], batches: Callable[[Step], Batch]) -> dict[str, float]:
        """Train to the end, from the last checkpoint in `config.out` if there is one.

        Returns the last logged losses. With `ema_decay`, the first player's weights are the moving average at the end.

        Raises:
            ValueError: the checkpoint in `config.out` does not belong to this objective.
            FloatingPointError: a loss is not finite.
        """
        run = _Run(self.config, self.accelerator, objective.players)
        start, reason = run.resume(objective)
        # A training that ended itself is over: nothing is trained, and why it ended stays in its state.
        end = start if reason else self.config.steps
        meters: dict[str, list[float]] = {}
        last: dict[str, float] = {}
        done = end
        since, saved = time.monotonic(), time.monotonic()
        bar = tqdm(
            total=self.config.steps,
            initial=start,
            disable=not self.accelerator.is_main_process,
            desc=self.config.out.name,
        )
        for number in range(start, end):
            step = self._step(number)
            batch = batches(step)
            for player in objective.players:
                with half_precision(self.accelerator.device, wanted=self.config.precision == "bf16"):
                    losses = objective.loss(player.name, batch, step)
                run.move(player, losses["loss"], number)
                for name, value in losses.items():
                    meters.setdefault(name if name != "loss" else player.name, []).append(float(value.detach()))
            try:
                objective.after_step(step)
            except Stop as stop:
                done, reason = number + 1, str(stop)
            run.average(number)
            bar.update()
            if (number + 1) % self.config.log_every == 0 or number + 1 == done:
                last = {name: float(np.mean(values)) for name, values in meters.items()}
                rate = sum(len(values) for values in meters.values()) / len(meters) / (time.monotonic() - since)
                self._report(number + 1, last, rate, bar)
                meters, since = {}, time.monotonic()
            if self.config.sample_every and (number + 1) % self.config.sample_every == 0:
                with run.averaged():
                    self._draw(objective, number + 1)
            if reason:
                log.info("%s stopped at step %d: %s", self.config.out.name, done, reason)
                break
            if time.monotonic() - saved > self.config.save_every:
                run.save(number + 1, objective)
                saved = time.monotonic()
        bar.close()
        run.save(done, objective, reason)
        run.finish()
        return last

    def _step(self, number: int) -> Step:
        seed = (self.config.seed, number, self.accelerator.process_index)
        rng = np.random.default_rng(seed)
        generator = torch.Generator(self.accelerator.device).manual_seed(int(rng.integers(2**63)))
        return Step(
            number=number,
            progress=number / self.config.steps,
            device=self.accelerator.device,
            generator=generator,
            rng=rng,
        )

    def _report(self, number: int, losses: Mapping[str, float], rate: float, bar: tqdm[Any]) -> None:
        if broken := [name for name, value in losses.items() if not np.isfinite(value)]:
            raise FloatingPointError(f"step {number}: {', '.join(broken)} is not finite")
        if self.accelerator.is_main_process:
            bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})
            line = {"step": number, "steps_per_second": round(rate, 3), "time": round(time.time(), 1), **losses}
            with (self.config.out / "log.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")

    def _draw(self, objective: Objective[Batch], number: int) -> None:
        if self.accelerator.is_main_process and (grid := objective.sample()) is not None:
            with atomic_path(self.config.out / "samples" / f"{number:06d}.webp") as part:
                grid.save(part, quality=90)


class _Run:
    """The moving parts of one run: an optimiser for each player, the moving average, the checkpoint."""

    def __init__(self, config: TrainingConfig, accelerator: Accelerator, players: Sequence[Player]) -> None:
        self.config, self.accelerator, self.players = config, accelerator, players
        for player in players:
            player.network.to(accelerator.device)
        self.optimizers = {
            player.name: torch.optim.AdamW(
                player.parameters,
                lr=player.learning_rate,
                betas=player.betas,
                weight_decay=player.weight_decay,
                fused=True,
            )
            for player in players
        }
        first = players[0].parameters if config.ema_decay is not None else []
        self.shadow = [parameter.detach().clone() for parameter in first]
        config.out.mkdir(parents=True, exist_ok=True)

    def learning_rate(self, player: Player, number: int) -> float:
        """Linear warm-up, constant, then linear decay to zero."""
        warm = min(1.0, (number + 1) / max(1, self.config.warmup))
        left = (1 - number / self.config.steps) / max(1e-9, 1 - self.config.decay_from)
        return player.learning_rate * warm * min(1.0, left)

    def move(self, player: Player, loss: Tensor, number: int) -> None:
        """One optimiser step of one player, with gradients averaged over the processes."""
        optimizer = self.optimizers[player.name]
        for group in optimizer.param_groups:
            group["lr"] = self.learning_rate(player, number)
        # Not autograd.grad: its gradients may lie in memory unlike their weights, which the fused optimiser ignores.
        loss.backward(inputs=player.parameters)
        if self.accelerator.num_processes > 1:
            self._share(player)
        nn.utils.clip_grad_norm_(player.parameters, self.config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()

    def _share(self, player: Player) -> None:
        """Average the gradients over the processes, as one message."""
        held = [parameter for parameter in player.parameters if parameter.grad is not None]
        flat = torch.cat([parameter.grad.flatten() for parameter in held if parameter.grad is not None])
        mean: Any = reduce(flat, "mean")
        for parameter, part in zip(held, mean.split([parameter.numel() for parameter in held]), strict=True):
            parameter.grad = part.view_as(parameter)

    def average(self, number: int) -> None:
        """Move the moving average; young averages follow faster, so that the start is forgotten."""
        if self.config.ema_decay is None:
            return
        decay = min(self.config.ema_decay, (1 + number) / (10 + number))
        with torch.no_grad():
            for mine, theirs in zip(self.shadow, self.players[0].parameters, strict=True):
                mine.lerp_(theirs, 1 - decay)

    def averaged(self) -> _Swapped:
        """While this context is open, the first player has its averaged weights."""
        return _Swapped(self.shadow, self.players[0].parameters if self.shadow else [])

    def finish(self) -> None:
        """Leave the averaged weights in the first player's network."""
        with torch.no_grad():
            for parameter, average in zip(self.players[0].parameters if self.shadow else [], self.shadow, strict=True):
                parameter.copy_(average)

    def _tensors(self, objective: Objective[Any]) -> dict[str, Tensor]:
        tensors = {f"extra.{name}": value for name, value in objective.state().items()}
        for player in self.players:
            tensors |= {f"weights.{player.name}.{name}": value for name, value in player.weights().items()}
        return tensors | {f"ema.{index}": value for index, value in enumerate(self.shadow)}

    def save(self, number: int, objective: Objective[Any], stopped: str = "") -> None:
        """Write a checkpoint (main process only); `stopped` says why the training ended at it."""
        if not self.accelerator.is_main_process:
            return
        tensors = self._tensors(objective)
        for name, optimizer in self.optimizers.items():
            tensors |= optimizer_tensors(optimizer, f"optimizer.{name}")
        save_state(self.config.out / "state", tensors, {"step": number, "seed": self.config.seed, "stopped": stopped})

    def resume(self, objective: Objective[Any]) -> tuple[int, str]:
        """Load the last checkpoint; returns the number of the first step still to do, and why none is, if none is."""
        found = load_state(self.config.out / "state")
        if found is None:
            return 0, ""
        tensors, numbers = found
        mine = self._tensors(objective)
        if missing := sorted(name for name in mine if name not in tensors or tensors[name].shape != mine[name].shape):
            raise ValueError(f"the checkpoint in {self.config.out} is of another training ({missing[0]} does not fit)")
        with torch.no_grad():
            for name, value in mine.items():
                value.copy_(tensors[name])
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, tensors, f"optimizer.{name}")
        log.info("resumed %s at step %d", self.config.out, numbers["step"])
        return int(numbers["step"]), str(numbers.get("stopped", ""))


class _Swapped:
    """Swap two lists of tensors for a while."""

    def __init__(self, one: Sequence[Tensor], other: Sequence[Tensor]) -> None:
        self.one, self.other = one, other

    def _swap(self) -> None:
        with torch.no_grad():
            for one, other in zip(self.one, self.other, strict=True):
                kept = one.clone()
                one.copy_(other)
                other.copy_(kept)

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *_: object) -> None:
        self._swap()
