"""Dry runs: a step of each stage of a distillation on PyTorch's meta device, which says what memory it takes.

The recipes and objectives are those of the real training; only the numbers are missing, so that a model of any size is
tried in seconds, without its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor, nn

from hypersd.distill import backward
from hypersd.distill.catalog import METHODS
from hypersd.distill.distillation_options import DistillationOptions
from hypersd.distill.distillation_task import AnyBatch, DistillationTask
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSamples
from hypersd.models.blueprint import META, Blueprint
from hypersd.training.data import CaptionedData, CaptionedLatents
from hypersd.training.memory import PeakMemory, storage_bytes
from hypersd.training.objective import Objective, StepContext

_STATE_BYTES = {"adamw": 8, "adamw8bit": 2}
"""Of an optimiser, for each trained number: two averages."""

_CAPTION = "a picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """A stage as it would be trained, and its memory in bytes on each device.

    Args:
        rates: learning rates, by network.
        weights: of all networks, those that are not trained too.
        trained: of the weights, those that are trained.
        optimizer: the optimisers' state, and averages of weights.
        activations: the most that a step needs beside: activations, gradients, what a teacher computes; in float32.
    """

    name: str
    steps: int
    rates: dict[str, float]
    weights: int
    trained: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All that is on a device at once."""
        return self.weights + self.optimizer + self.activations


@dataclass(frozen=True, kw_only=True)
class DryRun(DistillationTask):
    """A task whose stages are not trained but planned, in `plans`; its student is on the meta device."""

    processes: int = 1
    plans: list[StagePlan] = field(default_factory=list)

    def scenes(self) -> tuple[Callable[[StepContext], CaptionedLatents], str]:
        """Latents of no pictures."""
        return lambda _: CaptionedLatents(self._latents(), self._captions()), ""

    def pairs(self) -> tuple[Callable[[StepContext], TeacherSamples], str]:
        """Noise and what nobody drew from it."""
        return lambda _: TeacherSamples(self._latents(), self._latents(), self._captions()), ""

    def jumps(self, config: backward.BackwardConfig) -> tuple[Callable[[StepContext], backward.OwnJumps], str]:
        """Jumps of nobody's."""
        times = torch.empty(self._count, dtype=torch.long, device=META)
        return lambda _: backward.OwnJumps(self._latents(), times, self._latents(), times, self._captions()), ""

    @property
    def _count(self) -> int:
        """Samples that a device looks at in one pass."""
        return self.batch_size // (self.processes * self.options.accumulate)

    def _latents(self) -> Tensor:
        return torch.empty((self._count, *self.student.latent_shape), device=META)

    def _captions(self) -> list[str]:
        return [_CAPTION] * self._count

    def load_few_steps(self) -> None:
        """Start from no adapter: it has the shape of the student's own."""

    def few_steps_student(self) -> Student:
        """A second student, without an adapter in its base."""
        return _student(self.student.source, self.options)

    def keep(self, name: str, weights: Sequence[Tensor]) -> None:
        """Write nothing."""

    def train(
        self,
        name: str,
        steps: int,
        objective: Objective[AnyBatch],
        batches: Callable[[StepContext], AnyBatch],
        *,
        data: str,
        ema_decay: float | None = None,
    ) -> None:
        """Take one step of a stage, and note its plan."""
        self.set_rate(objective)
        config = self.training(name, steps, ema_decay)
        for network in objective.networks:
            network.module.to(META)
        step = StepContext(
            number=0,
            progress=0.0,
            device=META,
            generator=torch.Generator().manual_seed(self.seed),
            rng=np.random.default_rng(self.seed),
            shards=self.processes * self.options.accumulate,
        )
        trained = [weight for network in objective.networks for weight in network.parameters]
        averages = storage_bytes(objective.state().values())
        if ema_decay is not None:
            averages += storage_bytes(objective.networks[0].parameters)
        # The text is encoded before the step, since its encoders need memory for one prompt at a time and keep little.
        self.student.text.conditioning(["", _CAPTION])
        with PeakMemory() as memory:
            batch = batches(step)
            for network in objective.networks:
                objective.loss(network.name, batch, step)["loss"].backward(inputs=network.parameters)
                for weight in network.parameters:
                    weight.grad = None
            objective.after_step(step)
        self.plans.append(
            StagePlan(
                name=name,
                steps=config.steps,
                rates={network.name: network.learning_rate for network in objective.networks},
                weights=storage_bytes(_weights([self.student.pipeline, *vars(objective).values()])),
                trained=storage_bytes(trained),
                optimizer=averages + _STATE_BYTES[config.optimizer] * sum(weight.numel() for weight in trained),
                activations=memory.peak,
            )
        )


def dry_run(
    method: str,
    blueprint: Blueprint,
    *,
    examples: CaptionedData,
    batch_size: int | None = None,
    options: DistillationOptions | None = None,
    shorten: float = 1.0,
) -> list[StagePlan]:
    """Plans of the stages of a distillation.

    Raises:
        ValueError: the method is unknown, or an option is not for it.
        OSError: the method needs something that the blueprint's folder has not.
    """
    options = options or DistillationOptions()
    row = METHODS[method]
    task = DryRun(
        method=method,
        student=_student(blueprint, options),
        examples=examples,
        data=Path(),
        batch_size=batch_size or row.batch_size,
        out=Path(),
        few_steps=Path(),
        options=options,
        shorten=shorten,
        processes=PartialState().num_processes,
    )
    row.trainer()(task)
    return task.plans


def _student(source: Any, options: DistillationOptions) -> Student:
    with META:
        return Student(source, rank=options.rank, gradient_checkpointing=options.gradient_checkpointing, device=META)


def _weights(holders: Iterable[Any]) -> list[Tensor]:
    """Parameters and buffers of all networks that are held: pipelines', students', networks themselves."""
    found: list[Tensor] = []
    for holder in holders:
        if isinstance(holder, Student):
            found += _weights([holder.pipeline])
        elif isinstance(holder, nn.Module):
            found += [*holder.parameters(), *holder.buffers()]
        elif hasattr(holder, "components"):
            found += _weights(holder.components.values())
    return found
