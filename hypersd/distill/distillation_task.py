"""One distillation: its student, its examples, and the training of its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from hypersd.distill import backward
from hypersd.distill.distillation_options import DistillationOptions
from hypersd.distill.example_cache import ExampleCache
from hypersd.distill.one_step import FeedbackLoss
from hypersd.distill.score_models import ScoreModels
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSampleBatches, TeacherSamples
from hypersd.distill.teacher_steps import TeacherStepBatches, TeacherSteps
from hypersd.distill.tscd import TSCDConfig
from hypersd.training.adapter_passes import fused_adapter
from hypersd.training.adapters import copy_weights, load_adapter, save_adapter
from hypersd.training.data import CaptionedData, CaptionedLatents, LatentBatches
from hypersd.training.objective import Objective, StepContext
from hypersd.training.processes import joined_processes
from hypersd.training.records import hash_text
from hypersd.training.schedule import SegmentedTimesteps
from hypersd.training.trainer import Trainer
from hypersd.training.training_config import TrainingConfig, grids

AnyBatch = TypeVar("AnyBatch")


class _Stage(Protocol):
    """A stage of a method's training."""

    @property
    def name(self) -> str:
        """Name of the stage and of its adapter."""
        ...


AnyStage = TypeVar("AnyStage", bound=_Stage)

StageBatches = Callable[[SegmentedTimesteps], Callable[[StepContext], CaptionedLatents]]
"""Function from a stage's grid to the batches of its steps."""

PAIRS = 12_000
PAIR_STEPS = 8
"""Number of pairs for training a one-step student, and of its teacher's steps per pair."""

JUMPS = 2_000
"""Number of the student's own trajectories for backward distillation."""


@dataclass(frozen=True, kw_only=True)
class DistillationTask:
    """One distillation: the student, its data, and the output folder.

    Args:
        method: one of `METHODS`.
        examples: what is trained on.
        data: folder of the encoded examples, existing or new.
        parts: a hash of each part of the family on disk; empty for a dry run, which caches nothing.
        few_steps: the initial adapter of `backward` and `one-step`.
        options: for this distillation.
        feedback: an additional human-feedback loss of one-step distillation.
        shorten: factor on every stage's number of steps, and on the number of examples.
    """

    method: str
    student: Student
    examples: CaptionedData
    data: Path
    batch_size: int
    out: Path
    few_steps: Path
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    options: DistillationOptions = field(default_factory=DistillationOptions)
    feedback: FeedbackLoss | None = None
    seed: int = 0
    shorten: float = 1.0

    @property
    def guidance(self) -> tuple[float, float]:
        """Range from which the teacher's guidance scale is drawn."""
        return self.options.guidance_of(self.method)

    def trained(self, stages: Iterable[AnyStage]) -> list[AnyStage]:
        """Those stages of a method that are trained."""
        names = self.options.trained(self.method)
        return [stage for stage in stages if stage.name in names]

    def scenes(self) -> tuple[Callable[[StepContext], CaptionedLatents], str]:
        """Batches of encoded examples, and a hash of them."""
        self.cache.embed_captions()
        latents, source = self.cache.latents()
        return LatentBatches(self.examples, latents, self.batch_size), source

    def stage_batches(self, config: TSCDConfig) -> tuple[StageBatches, str]:
        """Batches for the stages of trajectory-segmented consistency, and a hash of them; from a cache if wanted."""
        scenes, source = self.scenes()
        if self.options.teacher_cache is None:
            return lambda _: scenes, source
        latents, encoded = self.cache.latents()
        whole = SegmentedTimesteps(self.student.schedule.num_train_timesteps, config.solver_steps, 1)
        steps = TeacherSteps(
            student=self.student,
            data=self.examples,
            latents=latents,
            grid=whole,
            guidance=config.guidance,
            offset_noise=config.offset_noise,
        )
        predicted, drawn = self.cache.teacher_steps(steps, self.options.teacher_cache, encoded)

        def batches(grid: SegmentedTimesteps) -> Callable[[StepContext], CaptionedLatents]:
            return TeacherStepBatches(steps, predicted, self.batch_size, grid, config.share_of_ends)

        return batches, hash_text(source, drawn)

    def pairs(self) -> tuple[Callable[[StepContext], TeacherSamples], str]:
        """Batches of noise with the current student's pictures of it, and a hash of them."""
        student = self.student
        self.cache.embed_captions()

        def draw(noise: Tensor, captions: list[str]) -> Tensor:
            with fused_adapter(student.unet):
                return student.trajectory(noise, PAIR_STEPS, student.text.conditioning(captions))

        clean, source = self.cache.drawn("pairs", draw, student.latent_shape, PAIRS, {"steps": PAIR_STEPS})
        return TeacherSampleBatches(self.examples, clean, self.batch_size), source

    def jumps(self, config: backward.BackwardConfig) -> tuple[Callable[[StepContext], backward.OwnJumps], str]:
        """Batches of the current student's jumps, and a hash of them."""
        self.cache.embed_captions()

        def draw(noise: Tensor, captions: list[str]) -> Tensor:
            return backward.own_jumps(self.student, noise, captions, config)

        shape = (len(config.shares), 2, *self.student.latent_shape)
        settings = {"steps of the teacher": config.solver_steps, "guidance": config.guidance}
        drawn, source = self.cache.drawn("jumps", draw, shape, JUMPS, settings)
        return backward.JumpBatches(self.examples, self.student, drawn, self.batch_size, config), source

    @property
    def cache(self) -> ExampleCache:
        """The cache of encoded examples."""
        return ExampleCache(
            student=self.student,
            examples=self.examples,
            data=self.data,
            out=self.out,
            parts=self.parts,
            shorten=self.shorten,
            fewest=self.batch_size,
            precision=self.options.precision,
        )

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
        """Train one stage, from its last checkpoint if it has one; `data` is one hash of its examples, or several."""
        self.set_rate(objective)
        Trainer(self.training(name, steps, ema_decay)).run(objective, batches, data=data)
        # The next stage then has the same initial weights, also if this stage was interrupted.
        torch.manual_seed(self.seed)

    def set_rate(self, objective: Objective[Any]) -> None:
        """Give the student, an objective's first network, the learning rate that was chosen."""
        if self.options.learning_rate is not None:
            student, *others = objective.networks
            objective.networks = [replace(student, learning_rate=self.options.learning_rate), *others]

    def training(self, name: str, steps: int, ema_decay: float | None) -> TrainingConfig:
        """Configuration of a stage's training; `steps` are the stage's own."""
        options = self.options
        total = max(1, round(options.steps_of(self.method, name, steps) * self.shorten))
        return TrainingConfig(
            out=self.out / name,
            steps=total,
            seed=self.seed,
            warmup=20,
            decay_from=0.6,
            ema_decay=ema_decay,
            sample_every=grids(total),
            accumulate=options.accumulate,
            optimizer=options.optimizer,
            precision=options.precision,
            tracker=options.tracker,
        )

    def load_few_steps(self) -> None:
        """Load the few-step adapter as the initial weights."""
        load_adapter(self.student.unet, self.few_steps)

    def scores(self) -> ScoreModels:
        """The scores of score distillation: the real one of the few-step model, or for plain DMD of the base."""
        return ScoreModels.start(self.student, None if self.options.real == "base" else self.few_steps)

    def keep(self, name: str, weights: Sequence[Tensor]) -> None:
        """Continue with these weights, and write them to `out/NAME.safetensors`."""
        copy_weights(self.student.weights, weights)
        if joined_processes().is_main_process:
            save_adapter(self.student.unet, self.out / f"{name}.safetensors")
