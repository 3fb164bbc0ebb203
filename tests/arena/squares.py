"""A generator that draws plain squares, and a pool that it fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from hypersd.arena.service.image_generator import GeneratedImage, GenerationError
from hypersd.arena.service.pool import PairPool, PairSource
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant
from hypersd.arena.votes.images import ImageStore

HYPER, BASE, TURBO = (Contestant("emoji", model, steps) for model, steps in (("hyper", 4), ("base", 25), ("turbo", 1)))


@dataclass
class Squares:
    """Draws a square of two colours for each contestant; those in `broken` fail."""

    broken: set[Contestant] = field(default_factory=set)
    device: str = "cpu"
    software: Mapping[str, str] = field(default_factory=lambda: {"painter": "1"})

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        painted = []
        for contestant in contestants:
            if contestant in self.broken:
                raise GenerationError(contestant, "out of memory")
            rng = np.random.default_rng((seed, contestant.steps))
            pixels = np.full((32, 32, 3), rng.integers(0, 256, 3), dtype=np.uint8)
            pixels[:16] = rng.integers(0, 256, 3)
            painted.append(GeneratedImage(Image.fromarray(pixels), contestant.steps / 10, contestant.steps, "1"))
        return painted


def even(*contestants: Contestant) -> dict[tuple[str, str], float]:
    pairs = [(one.label, other.label) for i, one in enumerate(contestants) for other in contestants[i + 1 :]]
    return dict.fromkeys(pairs, 1 / len(pairs))


def working(store: Store, folder: Path, painter: Squares, low: int = 5) -> PairPool:
    source = PairSource(
        study=None,
        probabilities=lambda: even(HYPER, BASE, TURBO),
        prompts=["a cat", "a dog"],
        prompt_set="emoji-v1",
        low=low,
    )
    return PairPool(store, ImageStore(str(folder)), painter, [source], pause=0.01, rng=np.random.default_rng(0))
