"""Training data: captioned pictures, encoded once as latents and read in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import StepContext
from hypersd.training.row_shards import ComputeRows, RowArray

CAPTION_DROPOUT = 0.1
"""Share of empty captions in training, for classifier-free guidance (Ho and Salimans 2022)."""


class CaptionedData(Protocol):
    """Captioned pictures, numbered from 0; the same number is always the same picture."""

    @property
    def fingerprint(self) -> str:
        """A hash of everything that determines the examples."""
        ...

    @property
    def size(self) -> int | None:
        """The number of pictures; None if it is infinite."""
        ...

    def pictures(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures with these indices, `(B, H, W, 3)`."""
        ...

    def size_conditioning(self, indices: Sequence[int]) -> NDArray[np.int64] | None:
        """Height and width before the pictures were scaled, top and left of the crop, in pixels, `(B, 4)`.

        SDXL is conditioned on them (Podell et al. 2023, section 2.2). None: pictures are neither scaled nor cropped.
        """
        ...

    def caption(self, index: int, rng: np.random.Generator) -> str:
        """A caption of one picture; a random one if there are several."""
        ...

    def distinct_captions(self) -> Sequence[str] | None:
        """All captions that `caption` can return, without duplicates; None if their number is infinite."""
        ...

    def held_out_prompts(self, count: int) -> list[str]:
        """At most `count` prompts that are not trained on, for sample grids; always the same ones."""
        ...


@dataclass(frozen=True, slots=True)
class CaptionedLatents:
    """Latents `(B, C, H, W)` and their captions, some of which are empty; and `sizes` as `CaptionedData` gives them."""

    latents: Tensor
    captions: list[str]
    sizes: Tensor | None = None

    def split(self, count: int) -> tuple[CaptionedLatents, CaptionedLatents]:
        """Split into the first `count` examples and the others."""
        first, others = slice(count), slice(count, None)
        return self._part(first), self._part(others)

    def _part(self, part: slice) -> CaptionedLatents:
        sizes = None if self.sizes is None else self.sizes[part]
        return CaptionedLatents(self.latents[part], self.captions[part], sizes)


@dataclass(frozen=True)
class LatentBatches:
    """Batches of encoded examples: `LatentBatches(data, latents, batch_size)(step)`.

    Args:
        data: the captioned pictures.
        latents: of the first N examples, `(N, C, H, W)`.
    """

    data: CaptionedData
    latents: RowArray
    batch_size: int

    def __call__(self, step: StepContext) -> CaptionedLatents:
        """A random batch with random captions."""
        chosen = step.rng.integers(len(self.latents), size=self.batch_size)
        captions = step.mine([training_caption(self.data, int(index), step.rng) for index in chosen])
        chosen = step.mine(chosen)
        sizes = self.data.size_conditioning(chosen.tolist())
        return CaptionedLatents(
            torch.from_numpy(self.latents[chosen]).float().to(step.device),
            captions,
            None if sizes is None else torch.from_numpy(sizes).to(step.device),
        )


def training_caption(data: CaptionedData, index: int, rng: np.random.Generator) -> str:
    """A caption of one picture to train on, or with a probability of `CAPTION_DROPOUT` an empty one."""
    return "" if rng.random() < CAPTION_DROPOUT else data.caption(index, rng)


def encoded(data: CaptionedData, encoder: Callable[[Tensor], Tensor]) -> ComputeRows:
    """Function from indices of examples to latents, for `hypersd.training.row_shards`.

    Args:
        data: the captioned pictures.
        encoder: from pictures `(B, 3, H, W)` in [-1, 1] to latents `(B, C, H, W)` as the UNet sees them.
    """
    return lambda indices: encoder(to_tensor(data.pictures(indices)))
