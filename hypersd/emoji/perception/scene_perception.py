"""Random scenes of the world, and a frozen network that measures the perception loss of pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hypersd.emoji.captions import caption
from hypersd.emoji.perception.solo import Masks, Solo, instance_loss
from hypersd.emoji.world import Scene, World, render, sample_scene


@dataclass(frozen=True, eq=False)
class ScenePerception:
    """The world's scenes, whose masks are known by construction, and SOLO, which segments pictures.

    It is a `Perceptor` of `hypersd.feedback.tuning.perception_scenes`.
    """

    world: World
    network: Solo

    def sample(self, count: int, rng: np.random.Generator) -> list[Scene]:
        """`count` random training scenes."""
        return [sample_scene(self.world, rng) for _ in range(count)]

    def captions(self, scenes: Sequence[Scene]) -> list[str]:
        """The canonical caption of each scene."""
        return [caption(scene) for scene in scenes]

    def pictures(self, scenes: Sequence[Scene]) -> list[NDArray[np.uint8]]:
        """The scenes, drawn: each `(128, 128, 3)`."""
        return [render(self.world, scene) for scene in scenes]

    def loss(self, pictures: Tensor, scenes: Sequence[Scene]) -> Tensor:
        """SOLO's loss `(B,)` of pictures `(B, 3, 128, 128)` in [-1, 1] against these scenes.

        Raises:
            ValueError: the pictures have another shape, or their number differs from the scenes'.
        """
        self.network.to(pictures.device)
        return instance_loss(self.network, pictures, Masks.of(self.world, scenes).to(pictures.device))
