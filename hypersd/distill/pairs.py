"""Noise and what a teacher draws from it in many steps: drawn once, then read many times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from hypersd.files import atomic_path
from hypersd.training.precision import half_precision
from hypersd.training.trainer import Step


@dataclass(frozen=True, slots=True)
class DrawnPairs:
    """Noise `(B, C, H, W)`, the clean latents that a teacher draws from it, and the captions it was given."""

    noise: Tensor
    clean: Tensor
    captions: list[str]


def told_of(world: World, index: int) -> str:
    """The caption that goes with noise `index`: of a training scene, some in freer words."""
    rng = np.random.default_rng((2, index))
    scene = training_scene(world, index)
    return free_caption(scene, rng) if rng.random() < FREE_SHARE else caption(scene)


def noise_of(indices: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """Unit noise of each index, `(B, *shape)`: it need not be kept."""
    drawn = [np.random.default_rng((3, index)).standard_normal(shape, dtype=np.float32) for index in indices]
    return torch.from_numpy(np.stack(drawn))


@torch.no_grad()
def draw_once(
    world: World,
    model: Student,
    file: Path,
    draw: Callable[[Tensor, list[str]], Tensor],
    *,
    shape: tuple[int, ...],
    count: int,
    batch_size: int = 64,
) -> None:
    """Write what `draw` makes of `count` noises and their captions: float16, `(count, *shape)`.

    The noise and the caption of each are those of its index, so only the result is kept. Nothing is done if `file` is
    already complete; it appears under its name only when it is.

    Args:
        world: what the captions tell of.
        model: whose latents' shape the noise has.
        file: where it goes (`.npy`).
        draw: from noise `(B, C, H, W)` and B captions to `(B, *shape)`.
        shape: of what is drawn of one noise.
        count: how many noises.
        batch_size: of them, how many at a time.

    Raises:
        OSError: the file cannot be written.
    """
    if file.exists():
        return
    with atomic_path(file) as part:
        drawn = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(count, *shape))
        for start in tqdm(range(0, count, batch_size), desc=f"draw {file.stem}"):
            chosen = range(start, min(count, start + batch_size))
            with half_precision(torch.device("cpu")):
                made = draw(noise_of(chosen, model.latent_shape), [told_of(world, index) for index in chosen])
            drawn[start : start + len(chosen)] = made.numpy().astype(np.float16)
        drawn.flush()


def draw_pairs(world: World, teacher: Student, file: Path, *, steps: int, count: int, batch_size: int = 64) -> None:
    """Write what `teacher` draws in `steps` DDIM steps, by `draw_once`: latents `(count, C, H, W)`."""

    def draw(noise: Tensor, captions: list[str]) -> Tensor:
        return teacher.trajectory(noise, steps, teacher.text.conditioning(captions))

    draw_once(world, teacher, file, draw, shape=teacher.latent_shape, count=count, batch_size=batch_size)


@dataclass(frozen=True)
class PairBatches:
    """Batches of what `draw_pairs` wrote: `PairBatches(world, clean, batch_size)(step)`."""

    world: World
    clean: NDArray[np.float16]
    batch_size: int

    def __call__(self, step: Step) -> DrawnPairs:
        """A random batch."""
        chosen = [int(index) for index in step.rng.integers(len(self.clean), size=self.batch_size)]
        return DrawnPairs(
            noise_of(chosen, self.clean.shape[1:]).to(step.device),
            torch.from_numpy(self.clean[chosen]).float().to(step.device),
            [told_of(self.world, index) for index in chosen],
        )
