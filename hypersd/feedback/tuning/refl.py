"""Reward feedback learning on a student of few steps (Hyper-SD, section 3.2; ReFL, Xu et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image
from torch import Tensor

from hypersd.distill.student import Student
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.feedback.tuning.hinge import HingeFeedback
from hypersd.feedback.tuning.monitor import RewardHackingMonitor
from hypersd.feedback.tuning.refl_defaults import FEEDBACK_RANK, PERCEPTION
from hypersd.feedback.tuning.rollout import PromptBatch, rollout_to_step
from hypersd.feedback.tuning.tuning_methods import LEARNING_RATES
from hypersd.models.specs import Recipe
from hypersd.training.objective import Objective, StepContext, TrainedNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class ReFLConfig:
    """Choices of this project where the paper leaves them open.

    Args:
        steps: of the optimiser.
        hinge: α of eq. 13: the quantile of the rewards of pictures that people preferred above which nothing is
            gained; one of those that the reward model keeps.
        anchor: weight of the squared distance to what the untuned student draws from the same place.
        perception: weight of the visual-perception loss, if there is a network for it.
    """

    steps: int = 120
    batch_size: int = 16
    learning_rate: float = LEARNING_RATES["refl"]
    rank: int = FEEDBACK_RANK
    hinge: str = "0.75"
    anchor: float = 10.0
    perception: float = PERCEPTION


class PerceptionLoss(Protocol):
    """The visual-perception loss (eq. 14): how well a frozen network finds in the student's pictures what is there."""

    def __call__(self, student: Student, recipes: Sequence[Recipe], step: StepContext) -> Tensor:
        """A scalar with a gradient."""
        ...


@dataclass(eq=False)
class RewardFeedback(Objective[PromptBatch]):
    """Objective: Σ_d ReLU(α_d − r_d(x'_0, c)), eq. 13, and the perception loss, eq. 14; guarded.

    Args:
        student: its adapter is the feedback's own; the few-step model is its base.
        rewards: all of them are pleased together.
        monitor: looks at the student, with a reward model that is not pleased.
        recipes: the schedules on which the student is used.
    """

    student: Student
    rewards: Sequence[RewardModel]
    monitor: RewardHackingMonitor
    recipes: Sequence[Recipe]
    perception: PerceptionLoss | None = None
    config: ReFLConfig = field(default_factory=ReFLConfig)

    def __post_init__(self) -> None:
        self.networks = [
            TrainedNetwork(
                name="feedback",
                module=self.student.unet,
                learning_rate=self.config.learning_rate,
                betas=(0.9, 0.99),
            )
        ]
        self.feedback = HingeFeedback.of(self.rewards, self.config.hinge)

    def loss(self, network: str, batch: PromptBatch, step: StepContext) -> Mapping[str, Tensor]:
        """Logs `reward`, `distance` and, with a network for it, `perception`."""
        recipe = self.recipes[int(step.rng.integers(len(self.recipes)))]
        call = int(step.rng.integers(recipe.steps))
        cond = self.student.text.conditioning(batch.prompts)
        drawn = rollout_to_step(self.student, recipe, batch.noise, cond, call, generator=step.generator)
        pictures = self.student.picture(drawn.tuned).clamp(-1, 1)
        scores = self.feedback.scores(pictures, batch.prompts)
        distance = (drawn.tuned - drawn.untuned).square().mean()
        loss = self.feedback.loss(scores) + self.config.anchor * distance
        logged = {"reward": scores.mean(), "distance": distance}
        if self.perception is not None:
            logged["perception"] = self.perception(self.student, self.recipes, step)
            loss = loss + self.config.perception * logged["perception"]
        return {"loss": loss, **logged}

    def after_step(self, step: StepContext) -> None:
        """Run the monitor.

        Raises:
            StopTraining: it speaks against going on.
        """
        self.monitor.after_step(step)

    def sample(self) -> Image.Image | None:
        """Draw a grid of the student's pictures now."""
        return self.monitor.validation.sample_grid()
