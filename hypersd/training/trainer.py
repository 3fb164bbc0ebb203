"""The training loop.

A method is an `Objective`: it has trained networks with their learning rates, and computes a loss for each of them from
a batch. The loop does the rest: precision, averaging of gradients over processes, clipping, the learning rate, moving
averages, logs, sample grids, checkpoints. All random numbers of a step come from generators seeded by (seed, step), so
a resumed run equals an uninterrupted one; and they are drawn per sample of the step (see `StepContext`), so several
processes or passes give the same result as one.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from hypersd.training.checkpoints import Checkpoint
from hypersd.training.journal import Journal
from hypersd.training.objective import Batch, Objective, StepContext, StopTraining, TrainedNetwork
from hypersd.training.optimization import Optimization
from hypersd.training.precision import half_precision
from hypersd.training.records import open_record
from hypersd.training.training_config import TrainingConfig
from hypersd.utils.files import atomic_path

log = logging.getLogger(__name__)


class DivergedError(FloatingPointError, ValueError):
    """A loss, a gradient or a weight is not finite; the step was not saved.

    It is also a `ValueError`: for the caller it is bad input, and the message says what to do.
    """


@dataclass
class Trainer:
    """Runs an objective: `Trainer(config).run(objective, batches)`."""

    config: TrainingConfig
    accelerator: Accelerator = field(init=False)

    def __post_init__(self) -> None:
        # Without a precision: accelerate keeps one per process and rejects another one for a second training.
        config = self.config
        cpu = config.cpu or not torch.accelerator.is_available()  # otherwise processes would not be connected
        self.accelerator = Accelerator(cpu=cpu, log_with=config.tracker, project_dir=config.out)

    def run(
        self,
        objective: Objective[Batch],
        batches: Callable[[StepContext], Batch],
        *,
        data: str | Mapping[str, Any] = "",
    ) -> dict[str, float]:
        """Train to the end, from the last checkpoint in `config.out` if there is one.

        Args:
            objective: with `ema_decay`, its first network has the moving average at the end.
            batches: returns the batch of a step.
            data: a hash of the training data, or several by name, for the run's record.

        Returns:
            The last logged losses.

        Raises:
            ValueError: `config.out` holds a training with other settings or data, or its files are damaged.
            DivergedError: a loss, a gradient or a weight is not finite; the last checkpoint is unchanged.
            OSError: `config.out` cannot be written.
        """
        self._begin(objective, data)
        moving = Optimization(
            self.accelerator,
            objective.networks,
            max_grad_norm=self.config.max_grad_norm,
            ema_decay=self.config.ema_decay,
            optimizer=self.config.optimizer,
            precision=self.config.precision,
        )
        checkpoint = Checkpoint(self.config.out, objective, moving)
        start, reason = checkpoint.load()
        # A training that its objective ended is not continued; the reason stays in its state.
        if self.config.tracker:
            self.accelerator.init_trackers(self.config.out.name)
        last = {} if reason else self._train(objective, batches, moving, checkpoint, start)
        for tracker in self.accelerator.trackers:  # not `end_training`, after which no other training could start
            tracker.finish()
        moving.finish()
        return last

    def _begin(self, objective: Objective[Batch], data: str | Mapping[str, Any]) -> None:
        """Write the run's record, or compare it with the existing one."""
        configuration = {
            **self.config.configuration(),
            "method": objective.configuration(),
            "data": data,
        }
        main = self.accelerator.is_main_process
        open_record(self.config.out, configuration, trained=Checkpoint.exists(self.config.out), main=main)

    def _train(
        self,
        objective: Objective[Batch],
        batches: Callable[[StepContext], Batch],
        moving: Optimization,
        checkpoint: Checkpoint,
        start: int,
    ) -> dict[str, float]:
        config, main = self.config, self.accelerator.is_main_process
        journal = Journal(config.out / "log.jsonl", start) if main else None
        meters: dict[str, list[float]] = {}
        last: dict[str, float] = {}
        done, reason = start, ""
        since, saved = time.monotonic(), time.monotonic()
        with tqdm(total=config.steps, initial=start, disable=not main, desc=config.out.name) as bar:
            while done < config.steps and not reason:
                shards = [self._shard(done, turn) for turn in range(config.accumulate)]
                for name, value in self._turns(objective, batches, shards, moving, checkpoint).items():
                    meters.setdefault(name, []).append(value)
                step = shards[-1]
                try:
                    objective.after_step(step)
                except StopTraining as stop:
                    reason = str(stop)
                moving.average(step.number)
                done += 1
                bar.update()
                if done % config.log_every == 0 or done == config.steps or reason:
                    last = {name: float(np.mean(values)) for name, values in meters.items()}
                    steps = max(len(values) for values in meters.values())
                    if journal is not None:
                        bar.set_postfix({name: f"{value:.4f}" for name, value in last.items()})
                        journal.write(done, last, steps / (time.monotonic() - since))
                    self.accelerator.log(last, step=done)
                    meters, since = {}, time.monotonic()
                if config.sample_every and done % config.sample_every == 0 and main:
                    with moving.averaged():
                        self._draw(objective, done)
                if time.monotonic() - saved > config.save_every and done < config.steps and not reason and main:
                    self._save(checkpoint, done)
                    saved = time.monotonic()
        if reason:
            log.info("%s stopped at step %d: %s", config.out.name, done, reason)
        if done > start and main:
            self._save(checkpoint, done, reason)
        return last

    def _turns(
        self,
        objective: Objective[Batch],
        batches: Callable[[StepContext], Batch],
        shards: Sequence[StepContext],
        moving: Optimization,
        checkpoint: Checkpoint,
    ) -> dict[str, float]:
        """Update all networks; return the losses by their names in the log.

        Raises:
            DivergedError: a loss or a gradient is not finite; its network was not updated.
        """
        logged: dict[str, float] = {}
        samples = [batches(shard) for shard in shards]
        memories: list[dict[str, Any]] = [{} for _ in shards]
        for network in chain.from_iterable(repeat(network, network.updates) for network in objective.networks):
            totals: dict[str, Tensor] = {}
            for shard, batch, memory in zip(shards, samples, memories, strict=True):
                with objective.remember(memory), half_precision(self.accelerator.device, self.config.precision):
                    losses = objective.loss(network.name, batch, shard)
                moving.backward(network, losses["loss"] / len(shards))
                for name, value in losses.items():
                    totals[name] = totals.get(name, 0) + value.detach() / len(shards)
            measured = moving.clip(network, totals)
            if broken := [name for name, value in measured.items() if not math.isfinite(value)]:
                what = "gradient" if broken == ["gradient"] else "loss"
                raise DivergedError(self._sentence(f"the {what} of {network.name}", shards[0].number + 1, checkpoint))
            moving.step(network, self.learning_rate(network, shards[0].number))
            logged |= {
                network.name if name == "loss" else name: value
                for name, value in measured.items()
                if name != "gradient"
            }
        return logged

    def _save(self, checkpoint: Checkpoint, number: int, stopped: str = "") -> None:
        """Write a checkpoint.

        Raises:
            DivergedError: a tensor is not finite; nothing is written.
        """
        if broken := checkpoint.broken():
            raise DivergedError(self._sentence(broken, number, checkpoint))
        checkpoint.save(number, seed=self.config.seed, stopped=stopped)

    def _sentence(self, what: str, number: int, checkpoint: Checkpoint) -> str:
        kept = (
            f"{self.config.out} has step {checkpoint.number}, from which it can be resumed; if it ends there again,"
            if checkpoint.number
            else f"{self.config.out} holds no checkpoint yet;"
        )
        return (
            f"{self.config.out.name}: {what} is not finite at step {number}, so the training ended and nothing of that "
            f"step was saved; {kept} train in another folder with another seed or a lower learning rate"
        )

    def learning_rate(self, network: TrainedNetwork, number: int) -> float:
        """Linear warm-up, constant, then linear decay to zero."""
        warm = min(1.0, (number + 1) / max(1, self.config.warmup))
        left = (1 - number / self.config.steps) / max(1e-9, 1 - self.config.decay_from)
        return network.learning_rate * warm * min(1.0, left)

    def _shard(self, number: int, turn: int) -> StepContext:
        """Context for this process's samples of a step in one of its passes."""
        rng = np.random.default_rng((self.config.seed, number, 0))  # the 0 was once the process's index
        generator = torch.Generator(self.accelerator.device).manual_seed(int(rng.integers(2**63)))
        processes = self.accelerator.num_processes
        return StepContext(
            number=number,
            progress=number / self.config.steps,
            device=self.accelerator.device,
            generator=generator,
            rng=rng,
            shard=turn * processes + self.accelerator.process_index,
            shards=processes * self.config.accumulate,
        )

    def _draw(self, objective: Objective[Batch], number: int) -> None:
        if (grid := objective.sample()) is not None:
            with atomic_path(self.config.out / "samples" / f"{number:06d}.webp") as part:
                grid.save(part, quality=90)
