"""Dry runs: one step of each stage of a distillation on PyTorch's meta device, to measure its memory.

The recipes and objectives are those of the real training, but tensors have no data, so a model of any size
takes seconds and needs no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hypersd.distill import backward
from hypersd.distill.catalog import METHODS, check_clip_needed
from hypersd.distill.distillation_options import DistillationOptions
from hypersd.distill.distillation_task import AnyBatch, DistillationTask, StageBatches
from hypersd.distill.score_models import ScoreModels
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSamples
from hypersd.distill.teacher_steps import TeacherPredictions
from hypersd.distill.tscd import TSCDConfig
from hypersd.models.blueprint import META, Blueprint
from hypersd.training.data import CaptionedLatents
from hypersd.training.memory import PeakMemory, storage_bytes
from hypersd.training.objective import Objective, StepContext

_STATE_BYTES = {"adamw": 8, "adamw8bit": 2}
"""Optimiser state per trained number: two averages."""

_CAPTION = "a picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """A stage as it would be trained, and its memory in bytes on each device.

    Args:
        rates: learning rates, by network.
        checkpointed: activations are computed again for the gradient.
        weights: of all networks, those that are not trained too.
        trained: of the weights, those that are trained.
        optimizer: the optimisers' state, and averages of weights.
        activations: peak of the remaining memory of a step: activations, gradients, the teacher's results; in float32.
    """

    name: str
    steps: int
    rates: dict[str, float]
    checkpointed: bool
    weights: int
    trained: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """Total memory on a device."""
        return self.weights + self.optimizer + self.activations


@dataclass(frozen=True, kw_only=True)
class DryRun(DistillationTask):
    """A task whose stages are not trained but planned, in `plans`; its student is on the meta device."""

    processes: int = 1
    plans: list[StagePlan] = field(default_factory=list)

    def scenes(self) -> tuple[Callable[[StepContext], CaptionedLatents], str]:
        """Batches of empty latents."""
        return lambda _: CaptionedLatents(self._latents(), self._captions()), ""

    def stage_batches(self, config: TSCDConfig) -> tuple[StageBatches, str]:
        """Batches of empty latents, with empty steps of the teacher if they are to be read from a cache."""
        if self.options.teacher_cache is None:
            return lambda _: self.scenes()[0], ""
        return lambda _: lambda _: self._predictions(), ""

    def _predictions(self) -> TeacherPredictions:
        return TeacherPredictions(
            latents=self._latents(),
            captions=self._captions(),
            starts=torch.empty(self._samples, dtype=torch.long, device=META),
            noisy=self._latents(),
            predicted=self._latents(),
        )

    def pairs(self) -> tuple[Callable[[StepContext], TeacherSamples], str]:
        """Batches of empty teacher samples."""
        return lambda _: TeacherSamples(self._latents(), self._latents(), self._captions()), ""

    def jumps(self, config: backward.BackwardConfig) -> tuple[Callable[[StepContext], backward.OwnJumps], str]:
        """Batches of empty jumps."""
        times = torch.empty(self._samples, dtype=torch.long, device=META)
        return lambda _: backward.OwnJumps(self._latents(), times, self._latents(), times, self._captions()), ""

    @property
    def _samples(self) -> int:
        """Number of samples of a device in one pass."""
        return self.batch_size // (self.processes * self.options.accumulate)

    def _latents(self) -> Tensor:
        return torch.empty((self._samples, *self.student.latent_shape), device=META)

    def _captions(self) -> list[str]:
        return [_CAPTION] * self._samples

    def load_few_steps(self) -> None:
        """Start from no adapter: it has the shape of the student's own."""

    def scores(self) -> ScoreModels:
        """Both scores, the few-step model's with weights of the shape of the student's own."""
        scores = ScoreModels.start(self.student)
        consistency = None if self.options.real == "base" else [weight.clone() for weight in self.student.weights]
        return replace(scores, consistency=consistency)

    def keep(self, name: str, weights: Sequence[Tensor]) -> None:
        """Write nothing."""

    def train(
        self,
        name: str,
        steps: int,
        objective: Objective[AnyBatch],
        batches: Callable[[StepContext], AnyBatch],
        *,
        data: str | Mapping[str, str],
        ema_decay: float | None = None,
    ) -> None:
        """Run one step of a stage, and record its plan."""
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
                checkpointed=self.student.checkpointed,
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
    batch_size: int | None = None,
    options: DistillationOptions | None = None,
    shorten: float = 1.0,
    processes: int = 1,
) -> list[StagePlan]:
    """Plans of the stages of a distillation whose batch is spread over some processes, each with its device.

    Raises:
        ValueError: the method is unknown, an option is not for it, or it needs something that the base has not.
    """
    options = options or DistillationOptions()
    options.check(method)
    row = METHODS[method]
    check_clip_needed(method, blueprint.folder)
    no_pictures: Any = None  # a dry run reads no pictures
    task = DryRun(
        method=method,
        student=_student(blueprint, options),
        examples=no_pictures,
        data=Path(),
        batch_size=batch_size or row.batch_size,
        out=Path(),
        few_steps=Path(),
        options=options,
        shorten=shorten,
        processes=processes,
    )
    row.trainer()(task)
    return task.plans


def _student(source: Any, options: DistillationOptions) -> Student:
    with META:
        return Student(source, rank=options.rank, gradient_checkpointing=options.gradient_checkpointing, device=META)


def _weights(holders: Iterable[Any]) -> list[Tensor]:
    """Parameters and buffers of all networks in these objects: pipelines, students, score models, networks."""
    tensors: list[Tensor] = []
    for holder in holders:
        if isinstance(holder, Student):
            tensors += _weights([holder.pipeline])
        elif isinstance(holder, nn.Module):
            tensors += [*holder.parameters(), *holder.buffers()]
        elif isinstance(holder, ScoreModels):
            tensors += holder.consistency or []
        elif hasattr(holder, "components"):
            tensors += _weights(holder.components.values())
    return tensors
