"""The visual-perception loss on the family's own scenes, whose masks are known by construction (eq. 14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hypersd.distill.student import Student
from hypersd.emoji.captions import caption
from hypersd.emoji.perception.solo import Masks, Solo, instance_loss, load_perception
from hypersd.emoji.world import World, render, sample_scene
from hypersd.feedback.tuning.rollout import denoise_noised_images
from hypersd.models.specs import Recipe
from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import StepContext


@dataclass(frozen=True, eq=False)
class SceneFeedback:
    """L_percep = E L_instance(m_I(x'_0), GT(x_0)), m_I the frozen network.

    A scene is noised, and what the student makes of it must be read as that scene.
    """

    world: World
    network: Solo
    batch_size: int = 6

    @classmethod
    def of(cls, folder: Path | None) -> SceneFeedback | None:
        """For a world's folder; None without one, or if it has no perception network.

        Raises:
            ValueError: it is damaged.
        """
        if folder is None or not (folder / "perception").is_dir():
            return None
        return cls(World.load(folder), load_perception(folder / "perception"))

    def __call__(self, student: Student, recipes: Sequence[Recipe], step: StepContext) -> Tensor:
        """The loss on new scenes, noised to a time at which the student is used; its gradient passes one call."""
        self.network.to(step.device)
        scenes = step.mine([sample_scene(self.world, step.rng) for _ in range(self.batch_size * step.shards)])
        clean = to_tensor([render(self.world, scene) for scene in scenes]).to(step.device)
        drawn = denoise_noised_images(student, clean, [caption(scene) for scene in scenes], recipes, step)
        return instance_loss(self.network, drawn.float(), Masks.of(self.world, scenes).to(step.device)).mean()
