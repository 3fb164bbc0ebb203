"""Data that a model is trained on: captioned pictures, encoded once as latents and read many times, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import StepContext
from hypersd.utils.files import atomic_path

CAPTION_DROPOUT = 0.1
"""Share of captions that are left empty in training, for classifier-free guidance (Ho and Salimans 2022)."""


class CaptionedData(Protocol):
    """Captioned pictures, numbered from 0 without end; the same number is always the same picture."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what the examples are."""
        ...

    def pictures(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures of these numbers, `(B, H, W, 3)`."""
        ...

    def caption(self, index: int, rng: np.random.Generator) -> str:
        """A caption of one picture; where there are several, one of them by lot."""
        ...

    def held_out_prompts(self, count: int) -> list[str]:
        """Prompts that training does not show, for grids to look at; always the same ones."""
        ...


@dataclass(frozen=True, slots=True)
class CaptionedLatents:
    """Latents `(B, C, H, W)` and their captions; some captions are empty."""

    latents: Tensor
    captions: list[str]

    def split(self, count: int) -> tuple[CaptionedLatents, CaptionedLatents]:
        """The first `count`, and the others."""
        return (
            CaptionedLatents(self.latents[:count], self.captions[:count]),
            CaptionedLatents(self.latents[count:], self.captions[count:]),
        )


@dataclass(frozen=True)
class LatentBatches:
    """Batches of encoded examples: `LatentBatches(data, latents, batch_size)(step)`.

    Args:
        data: whose pictures they are.
        latents: of the first N examples, `(N, C, H, W)`.
    """

    data: CaptionedData
    latents: NDArray[np.float16]
    batch_size: int

    def __call__(self, step: StepContext) -> CaptionedLatents:
        """A random batch, in wordings drawn anew each time."""
        chosen = step.rng.integers(len(self.latents), size=self.batch_size)
        captions = step.mine([self._caption(int(index), step.rng) for index in chosen])
        chosen = step.mine(chosen)
        return CaptionedLatents(torch.from_numpy(self.latents[chosen]).float().to(step.device), captions)

    def _caption(self, index: int, rng: np.random.Generator) -> str:
        return "" if rng.random() < CAPTION_DROPOUT else self.data.caption(index, rng)


def encode(
    data: CaptionedData, encoder: Callable[[Tensor], Tensor], file: Path, *, count: int, batch_size: int = 64
) -> None:
    """Write the latents of the first `count` examples, by `write_rows`.

    Args:
        data: whose pictures.
        encoder: from pictures `(B, 3, H, W)` in [-1, 1] to latents `(B, C, H, W)` as the UNet sees them.
        file: where they go (`.npy`).
        count: how many.
        batch_size: of them, how many at a time.

    Raises:
        OSError: the file cannot be written.
    """

    def rows(indices: range) -> Tensor:
        return encoder(to_tensor(data.pictures(indices)))

    write_rows(file, rows, count=count, batch_size=batch_size, label="encode")


@torch.no_grad()
def write_rows(file: Path, rows: Callable[[range], Tensor], *, count: int, batch_size: int, label: str) -> None:
    """Write an array of `count` rows as float16, a batch of row numbers at a time.

    Nothing is done if `file` is there already; it appears under its name only when it is complete.

    Raises:
        OSError: the file cannot be written.
    """
    if file.exists():
        return
    with atomic_path(file) as part:
        array: NDArray[np.float16] | None = None
        for start in tqdm(range(0, count, batch_size), desc=label):
            block = rows(range(start, min(count, start + batch_size))).float().cpu().numpy().astype(np.float16)
            if array is None:
                array = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(count, *block.shape[1:]))
            array[start : start + len(block)] = block
        if array is not None:
            array.flush()
