"""One distillation: its student, its examples, and the training of its stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import PartialState
from torch import Tensor

from hypersd.distill import backward
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSampleBatches, sample_teacher
from hypersd.training.adapters import copy_weights, save_adapter
from hypersd.training.data import CaptionedData, LatentBatches, encode
from hypersd.training.objective import Objective, StepContext
from hypersd.training.precision import half_precision
from hypersd.training.records import hash_file
from hypersd.training.trainer import Trainer, TrainingConfig, grids
from hypersd.utils.readers import read_array

AnyBatch = TypeVar("AnyBatch")

SCENES = 16_000

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
        few_steps: the adapter that `backward` and `one-step` start from.
        shorten: factor on every stage's number of steps, and on how many examples are prepared.
    """

    student: Student
    examples: CaptionedData
    data: Path
    batch_size: int
    out: Path
    few_steps: Path
    seed: int = 0
    shorten: float = 1.0

    def scenes(self) -> tuple[LatentBatches, str]:
        """Batches of encoded examples, and a hash of them; they are encoded if the folder has none."""

        def encoder(pictures: Tensor) -> Tensor:
            with half_precision(self.student.device):
                return self.student.latents(pictures.to(self.student.device))

        file, count = self._file("latents.npy"), self._count(SCENES)
        with PartialState().main_process_first():
            encode(self.examples, encoder, file, count=count)
        latents = read_array(file, self.student.latent_shape, "latents of pictures")
        return LatentBatches(self.examples, latents, self.batch_size), hash_file(file)

    def pairs(self) -> tuple[TeacherSampleBatches, str]:
        """Batches of noise and what the student, as it is now, draws from it, and a hash of them."""
        file, count = self._file("pairs.npy"), self._count(PAIRS)
        with PartialState().main_process_first():
            sample_teacher(self.examples, self.student, file, steps=PAIR_STEPS, count=count)
        clean = read_array(file, self.student.latent_shape, "pictures of a teacher")
        return TeacherSampleBatches(self.examples, clean, self.batch_size), hash_file(file)

    def jumps(self, config: backward.BackwardConfig) -> tuple[backward.JumpBatches, str]:
        """Batches of the jumps of the student as it is now, and a hash of them."""
        file, count = self._file("jumps.npy"), self._count(JUMPS)
        with PartialState().main_process_first():
            backward.draw_jumps(self.examples, self.student, file, count=count, config=config)
        shape = (len(config.shares), 2, *self.student.latent_shape)
        drawn = read_array(file, shape, "the jumps of a student")
        return backward.JumpBatches(self.examples, self.student, drawn, self.batch_size, config), hash_file(file)

    def _count(self, number: int) -> int:
        return max(self.batch_size, round(number * self.shorten))

    def _file(self, name: str) -> Path:
        """Path of a file of examples, old or new: a short training writes no small file where a whole one looks."""
        file = self.data / name
        return file if file.exists() or self.shorten == 1 else self.out / name

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
