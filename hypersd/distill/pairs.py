"""Noise and what a teacher draws from it in many steps: drawn once, then read many times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from hypersd.distill.student import Student
from hypersd.emoji.captions import caption, free_caption
from hypersd.emoji.latents import FREE_SHARE, training_scene
from hypersd.emoji.world import World
from hypersd.training.precision import half_precision
from hypersd.training.trainer import Step


@dataclass(frozen=True, slots=True)
class DrawnPairs:
    """Noise `(B, C, H, W)`, the clean latents that a teacher draws from it, and the captions it was given."""

    noise: Tensor
    clean: Tensor
    captions: list[str]


def _caption(world: World, index: int) -> str:
    rng = np.random.default_rng((2, index))
    scene = training_scene(world, index)
    return free_caption(scene, rng) if rng.random() < FREE_SHARE else caption(scene)


def _noise(index: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng((3, index)).standard_normal(shape, dtype=np.float32)


@torch.no_grad()
def draw_pairs(world: World, teacher: Student, file: Path, *, steps: int, count: int, batch_size: int = 64) -> None:
    """Write what `teacher` draws in `steps` DDIM steps from `count` noises: float16 latents `(count, C, H, W)`.

    The noise and the caption of each are those of its index, so only the result is kept. Nothing is done if `file` is
    already complete; it appears under its name only when it is.
    """
    if file.exists():
        return
    side = teacher.unet.config["sample_size"]
    shape = (teacher.unet.config["in_channels"], side, side)
    part = file.with_suffix(".part.npy")
    drawn = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(count, *shape))
    for start in tqdm(range(0, count, batch_size), desc="draw pairs"):
        chosen = range(start, min(count, start + batch_size))
        noise = torch.from_numpy(np.stack([_noise(index, shape) for index in chosen]))
        told = teacher.text.conditioning([_caption(world, index) for index in chosen])
        with half_precision(torch.device("cpu")):
            drawn[start : start + len(chosen)] = teacher.trajectory(noise, steps, told).numpy().astype(np.float16)
    drawn.flush()
    part.rename(file)


@dataclass(frozen=True)
class PairBatches:
    """Batches of what `draw_pairs` wrote: `PairBatches(world, clean, batch_size)(step)`."""

    world: World
    clean: NDArray[np.float16]
    batch_size: int

    def __call__(self, step: Step) -> DrawnPairs:
        """A random batch."""
        chosen = [int(index) for index in step.rng.integers(len(self.clean), size=self.batch_size)]
        noise = np.stack([_noise(index, self.clean.shape[1:]) for index in chosen])
        return DrawnPairs(
            torch.from_numpy(noise).to(step.device),
            torch.from_numpy(self.clean[chosen]).float().to(step.device),
            [_caption(self.world, index) for index in chosen],
        )
