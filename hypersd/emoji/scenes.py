"""Training scenes as captioned pictures with reproducible indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from hypersd.emoji.captions import caption, free_caption
from hypersd.emoji.world import Scene, World, render, sample_scene

FREE_SHARE = 1 / 3
"""Share of captions in free wording; the others are in the canonical forms."""


def training_scene(world: World, index: int) -> Scene:
    """The `index`-th scene of the infinite, reproducible sequence of training scenes."""
    return sample_scene(world, np.random.default_rng((1, index)))


@dataclass(frozen=True)
class TrainingScenes:
    """The world's training scenes, as the data of a training (see `hypersd.training.data.CaptionedData`)."""

    world: World

    @property
    def fingerprint(self) -> str:
        """A hash of the world's description and its sprites."""
        folder = self.world.folder
        files = [folder / "world.json", *(folder / sprite for sprite in sorted(self.world.objects.values()))]
        digest = sha256()
        for file in files:
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def size(self) -> None:
        """None: the number of scenes is infinite."""

    def pictures(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Pictures of the scenes with these indices, `(B, 128, 128, 3)`."""
        return np.stack([render(self.world, training_scene(self.world, index)) for index in indices])

    def size_conditioning(self, indices: Sequence[int]) -> None:
        """None: scenes are never scaled or cropped."""

    def caption(self, index: int, rng: np.random.Generator) -> str:
        """A caption of one scene, randomly canonical or free."""
        scene = training_scene(self.world, index)
        return free_caption(scene, rng) if rng.random() < FREE_SHARE else caption(scene)

    def distinct_captions(self) -> None:
        """None: the number of captions is infinite."""

    def held_out_prompts(self, count: int) -> list[str]:
        """Captions of held-out combinations, if the world has any."""
        rng, held_out = np.random.default_rng(4), bool(self.world.held_out)
        return [caption(sample_scene(self.world, rng, held_out=held_out)) for _ in range(count)]
