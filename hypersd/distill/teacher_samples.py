"""Noise with a teacher's many-step samples of it, computed once and read many times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hypersd.training.data import CaptionedData
from hypersd.training.objective import StepContext
from hypersd.training.row_shards import RowArray


@dataclass(frozen=True, slots=True)
class TeacherSamples:
    """Noise `(B, C, H, W)`, the clean latents that a teacher draws from it, and the captions it was given."""

    noise: Tensor
    clean: Tensor
    captions: list[str]


def caption_for(data: CaptionedData, index: int) -> str:
    """The caption of noise `index`: a random caption of the example with this index.

    Indices beyond the last example start again with the first.
    """
    example = index if data.size is None else index % data.size
    return data.caption(example, np.random.default_rng((2, index)))


def noise_for(indices: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """Unit noise of each index, `(B, *shape)`, reproducible, so that it need not be stored."""
    drawn = [np.random.default_rng((3, index)).standard_normal(shape, dtype=np.float32) for index in indices]
    return torch.from_numpy(np.stack(drawn))


@dataclass(frozen=True)
class TeacherSampleBatches:
    """Batches of what a teacher drew of each noise: `TeacherSampleBatches(data, clean, batch_size)(step)`."""

    data: CaptionedData
    clean: RowArray
    batch_size: int

    def __call__(self, step: StepContext) -> TeacherSamples:
        """A random batch."""
        chosen = step.mine(step.rng.integers(len(self.clean), size=self.batch_size))
        return TeacherSamples(
            noise_for(chosen.tolist(), self.clean.shape[1:]).to(step.device),
            torch.from_numpy(self.clean[chosen]).float().to(step.device),
            [caption_for(self.data, index) for index in chosen.tolist()],
        )
