"""Noise and what a teacher draws from it in many steps: drawn once, then read many times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hypersd.distill.student import Student
from hypersd.training.data import CaptionedData, write_rows
from hypersd.training.objective import StepContext
from hypersd.training.precision import half_precision


@dataclass(frozen=True, slots=True)
class TeacherSamples:
    """Noise `(B, C, H, W)`, the clean latents that a teacher draws from it, and the captions it was given."""

    noise: Tensor
    clean: Tensor
    captions: list[str]


def caption_for(data: CaptionedData, index: int) -> str:
    """The caption that goes with noise `index`: of the example of that number, in a wording of its own."""
    return data.caption(index, np.random.default_rng((2, index)))


def noise_for(indices: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """Unit noise of each index, `(B, *shape)`: it need not be kept."""
    drawn = [np.random.default_rng((3, index)).standard_normal(shape, dtype=np.float32) for index in indices]
    return torch.from_numpy(np.stack(drawn))


def cache_teacher_samples(
    data: CaptionedData,
    model: Student,
    file: Path,
    draw: Callable[[Tensor, list[str]], Tensor],
    *,
    count: int,
    batch_size: int = 64,
) -> None:
    """Write what `draw` makes of `count` noises and their captions, by `write_rows`.

    The noise and the caption of each are those of its index, so only the result is kept.

    Args:
        data: whose captions.
        model: whose latents' shape and device the noise has.
        file: where it goes (`.npy`).
        draw: from noise `(B, C, H, W)` and B captions to `(B, …)`.
        count: how many noises.
        batch_size: of them, how many at a time.

    Raises:
        OSError: the file cannot be written.
    """

    def rows(indices: range) -> Tensor:
        noise = noise_for(indices, model.latent_shape).to(model.device)
        with half_precision(model.device):
            return draw(noise, [caption_for(data, index) for index in indices])

    write_rows(file, rows, count=count, batch_size=batch_size, label=f"draw {file.stem}")


def sample_teacher(
    data: CaptionedData, teacher: Student, file: Path, *, steps: int, count: int, batch_size: int = 64
) -> None:
    """Write what `teacher` draws in `steps` DDIM steps, by `cache_teacher_samples`: latents `(count, C, H, W)`."""

    def draw(noise: Tensor, captions: list[str]) -> Tensor:
        return teacher.trajectory(noise, steps, teacher.text.conditioning(captions))

    cache_teacher_samples(data, teacher, file, draw, count=count, batch_size=batch_size)


@dataclass(frozen=True)
class TeacherSampleBatches:
    """Batches of what `sample_teacher` wrote: `TeacherSampleBatches(data, clean, batch_size)(step)`."""

    data: CaptionedData
    clean: NDArray[np.float16]
    batch_size: int

    def __call__(self, step: StepContext) -> TeacherSamples:
        """A random batch."""
        chosen = [int(index) for index in step.mine(step.rng.integers(len(self.clean), size=self.batch_size))]
        return TeacherSamples(
            noise_for(chosen, self.clean.shape[1:]).to(step.device),
            torch.from_numpy(self.clean[chosen]).float().to(step.device),
            [caption_for(self.data, index) for index in chosen],
        )
