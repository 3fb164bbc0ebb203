"""One distillation: its student, its examples, and the training of its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import PartialState
from torch import Tensor

from hypersd.distill import backward
from hypersd.distill.example_cache import ExampleCache
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSampleBatches
from hypersd.training.adapters import copy_weights, save_adapter
from hypersd.training.data import CaptionedData, LatentBatches
from hypersd.training.objective import Objective, StepContext
from hypersd.training.trainer import Trainer, TrainingConfig, grids

AnyBatch = TypeVar("AnyBatch")

PAIRS = 12_000
PAIR_STEPS = 8
"""Pairs that a one-step student learns from, and steps in which its teacher draws them."""

JUMPS = 2_000
"""Of how many trajectories of its own a student learns the jumps."""


@dataclass(frozen=True, kw_only=True)
class DistillationTask:
    """One distillation: the student, its data, and where the results go.

    Args:
        examples: what is trained on.
        data: the folder that has, or is to have, the examples as the student sees them.
        parts: a hash of each part of the family on disk.
        few_steps: the adapter that `backward` and `one-step` start from.
        shorten: factor on every stage's number of steps, and on how many examples are prepared.
    """

    student: Student
    examples: CaptionedData
    data: Path
    batch_size: int
    out: Path
    few_steps: Path
    parts: Mapping[str, str]
    seed: int = 0
    shorten: float = 1.0

    def scenes(self) -> tuple[LatentBatches, str]:
        """Batches of encoded examples, and a hash of them."""
        self.cache.embed_captions()
        latents, source = self.cache.latents()
        return LatentBatches(self.examples, latents, self.batch_size), source

    def pairs(self) -> tuple[TeacherSampleBatches, str]:
        """Batches of noise and what the student, as it is now, draws from it, and a hash of them."""
        student = self.student
        self.cache.embed_captions()

        def draw(noise: Tensor, captions: list[str]) -> Tensor:
            return student.trajectory(noise, PAIR_STEPS, student.text.conditioning(captions))

        clean, source = self.cache.drawn("pairs", draw, student.latent_shape, PAIRS, {"steps": PAIR_STEPS})
        return TeacherSampleBatches(self.examples, clean, self.batch_size), source

    def jumps(self, config: backward.BackwardConfig) -> tuple[backward.JumpBatches, str]:
        """Batches of the jumps of the student as it is now, and a hash of them."""
        self.cache.embed_captions()

        def draw(noise: Tensor, captions: list[str]) -> Tensor:
            return backward.own_jumps(self.student, noise, captions, config)

        shape = (len(config.shares), 2, *self.student.latent_shape)
        settings = {"steps of the teacher": config.solver_steps, "guidance": config.guidance}
        drawn, source = self.cache.drawn("jumps", draw, shape, JUMPS, settings)
        return backward.JumpBatches(self.examples, self.student, drawn, self.batch_size, config), source

    @property
    def cache(self) -> ExampleCache:
        """The examples as the student sees them."""
        return ExampleCache(
            student=self.student,
            examples=self.examples,
            data=self.data,
            out=self.out,
            parts=self.parts,
            shorten=self.shorten,
            fewest=self.batch_size,
        )

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
        """Train one stage, from its last checkpoint if it has one; `data` is a hash of what it is trained on."""
        total = max(1, round(steps * self.shorten))
        config = TrainingConfig(
            out=self.out / name,
            steps=total,
            seed=self.seed,
            warmup=20,
            decay_from=0.6,
            ema_decay=ema_decay,
            sample_every=grids(total),
        )
        Trainer(config).run(objective, batches, data=data)
        # The next stage's first weights are then the same, whether this one was broken off or not.
        torch.manual_seed(self.seed)

    def keep(self, name: str, weights: Sequence[Tensor]) -> None:
        """Go on with these weights, and write them to `out/NAME.safetensors`."""
        copy_weights(self.student.weights, weights)
        if PartialState().is_main_process:
            save_adapter(self.student.unet, self.out / f"{name}.safetensors")
