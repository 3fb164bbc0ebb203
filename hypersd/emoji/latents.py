"""Training scenes as latents: drawn and encoded once, then read many times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from hypersd.emoji.autoencoder import to_tensor
from hypersd.emoji.captions import caption, free_caption
from hypersd.emoji.world import Scene, World, render, sample_scene
from hypersd.readers import read_array
from hypersd.training.precision import half_precision
from hypersd.training.trainer import Step

EMPTY_SHARE = 0.1
FREE_SHARE = 0.3
"""Of the captions, how many are empty (for classifier-free guidance), and how many are in a visitor's wording."""


def training_scene(world: World, index: int) -> Scene:
    """The `index`-th scene of the endless, repeatable sequence of training scenes."""
    return sample_scene(world, np.random.default_rng((1, index)))


@torch.no_grad()
def encode_scenes(world: World, autoencoder: AutoencoderTiny, count: int, file: Path, batch_size: int = 64) -> None:
    """Write the first `count` training scenes as float16 latents `(count, C, 16, 16)`, scaled as the UNet sees them.

    Nothing is done if `file` is already complete; it appears under its name only when it is.
    """
    if file.exists():
        return
    part = file.with_suffix(".part.npy")
    latents: NDArray[np.float16] | None = None
    for start in tqdm(range(0, count, batch_size), desc="encode"):
        scenes = [training_scene(world, index) for index in range(start, min(count, start + batch_size))]
        with half_precision(torch.device("cpu")):
            encoded = autoencoder.encode(to_tensor([render(world, scene) for scene in scenes]))[0]
        block = (encoded.float() * autoencoder.config["scaling_factor"]).numpy().astype(np.float16)
        if latents is None:
            latents = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(count, *block.shape[1:]))
        latents[start : start + len(block)] = block
    if latents is not None:
        latents.flush()
        part.rename(file)


@dataclass(frozen=True, slots=True)
class CaptionedLatents:
    """Latents `(B, C, 16, 16)` and their captions; some captions are empty."""

    latents: Tensor
    captions: list[str]

    def split(self, count: int) -> tuple[CaptionedLatents, CaptionedLatents]:
        """The first `count`, and the others."""
        return (
            CaptionedLatents(self.latents[:count], self.captions[:count]),
            CaptionedLatents(self.latents[count:], self.captions[count:]),
        )


@dataclass(frozen=True)
class LatentScenes:
    """Batches of encoded training scenes: `LatentScenes(world, latents)(step)`."""

    world: World
    latents: NDArray[np.float16]
    batch_size: int

    @classmethod
    def open(cls, world: World, file: Path, batch_size: int, shape: tuple[int, int, int]) -> LatentScenes:
        """Read what `encode_scenes` wrote; `shape` is (C, H, W) of a scene's latents.

        Raises:
            FileNotFoundError: it has not been written.
            ValueError: it is damaged, or of another family.
        """
        return cls(world, read_array(file, shape, "latents of scenes"), batch_size)

    def __call__(self, step: Step) -> CaptionedLatents:
        """A random batch, in wordings drawn anew each time."""
        chosen = step.rng.integers(len(self.latents), size=self.batch_size)
        captions = [self._caption(training_scene(self.world, int(index)), step.rng) for index in chosen]
        return CaptionedLatents(torch.from_numpy(self.latents[chosen]).float().to(step.device), captions)

    def _caption(self, scene: Scene, rng: np.random.Generator) -> str:
        draw = rng.random()
        if draw < EMPTY_SHARE:
            return ""
        return free_caption(scene, rng) if draw < EMPTY_SHARE + FREE_SHARE else caption(scene)
