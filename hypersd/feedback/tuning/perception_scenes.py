"""The visual-perception loss on a family's own scenes, whose truth is known by construction (eq. 14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hypersd.distill.student import Student
from hypersd.feedback.tuning.rollout import denoise_noised_images
from hypersd.models.specs import Recipe
from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import StepContext

SceneT = TypeVar("SceneT")


class Perceptor(Protocol[SceneT]):
    """A source of scenes, and a frozen network that measures how badly pictures show them."""

    def sample(self, count: int, rng: np.random.Generator) -> list[SceneT]:
        """`count` random scenes."""
        ...

    def captions(self, scenes: Sequence[SceneT]) -> list[str]:
        """A caption of each scene."""
        ...

    def pictures(self, scenes: Sequence[SceneT]) -> Sequence[NDArray[np.uint8]]:
        """Each scene, drawn without a fault: `(H, W, 3)`."""
        ...

    def loss(self, pictures: Tensor, scenes: Sequence[SceneT]) -> Tensor:
        """Loss `(B,)` of pictures `(B, 3, H, W)` in [-1, 1] that are to show these scenes."""
        ...


@dataclass(frozen=True, eq=False)
class SceneFeedback(Generic[SceneT]):
    """L_percep = E L_instance(m_I(x'_0), GT(x_0)), m_I the frozen network.

    A scene is noised, and what the student makes of it must be read as that scene.
    """

    perceptor: Perceptor[SceneT]
    batch_size: int = 6

    def __call__(self, student: Student, recipes: Sequence[Recipe], step: StepContext) -> Tensor:
        """The loss on new scenes, noised to a time at which the student is used; its gradient passes one call."""
        scenes = step.mine(self.perceptor.sample(self.batch_size * step.shards, step.rng))
        clean = to_tensor(self.perceptor.pictures(scenes)).to(step.device)
        drawn = denoise_noised_images(student, clean, self.perceptor.captions(scenes), recipes, step)
        return self.perceptor.loss(drawn.float(), scenes).mean()
