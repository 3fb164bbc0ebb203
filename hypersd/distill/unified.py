"""One adapter for one to eight steps (Hyper-SD, section 3.4): trajectories in one segment and a picture in one step.

The last stage of TSCD and the one-step enhancement train the same weights at once: a batch has noised pictures for
consistency between jumps, and pure noise for drawing in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from hypersd.distill.one_step import OneStepDistillation
from hypersd.distill.score_models import FAKE
from hypersd.distill.teacher_samples import TeacherSamples
from hypersd.distill.tscd import TrajectorySegmentedConsistency
from hypersd.training.data import CaptionedLatents
from hypersd.training.objective import Objective, StepContext


@dataclass(frozen=True, slots=True)
class UnifiedBatch:
    """Noised pictures for trajectories, and noise with its teacher's pictures for one step."""

    scenes: CaptionedLatents
    pairs: TeacherSamples


@dataclass(frozen=True)
class UnifiedBatches:
    """Batches of both kinds: `UnifiedBatches(scenes, pairs)(step)`."""

    scenes: Callable[[StepContext], CaptionedLatents]
    pairs: Callable[[StepContext], TeacherSamples]

    def __call__(self, step: StepContext) -> UnifiedBatch:
        """A batch of each."""
        return UnifiedBatch(self.scenes(step), self.pairs(step))


@dataclass(eq=False)
class UnifiedDistillation(Objective[UnifiedBatch]):
    """Objective: the sum of both, on one student; the average of its weights is the result.

    Args:
        trajectories: TSCD's, of one segment.
        one_step: of the same student.
        weight: of the one-step loss, whose errors are about a hundred times those of a jump.
    """

    trajectories: TrajectorySegmentedConsistency
    one_step: OneStepDistillation
    weight: float = 0.02

    def __post_init__(self) -> None:
        self.networks = [*self.trajectories.networks, *self.one_step.networks[1:]]

    def loss(self, network: str, batch: UnifiedBatch, step: StepContext) -> Mapping[str, Tensor]:
        """The student logs the losses of both parts, those of the one-step part as `one_step_…`."""
        if network == FAKE:
            return self.one_step.loss(network, batch.pairs, step)
        along = self.trajectories.loss(network, batch.scenes, step)
        if network != "student":
            return along
        single = self.one_step.loss(network, batch.pairs, step)
        logged = {f"one_step_{name}": value for name, value in single.items() if name != "loss"}
        return {**along, **logged, "loss": along["loss"] + self.weight * single["loss"]}

    @contextmanager
    def remember(self, shard: dict[str, Any]) -> Generator[None]:
        """Within this context both parts have the attributes set by earlier updates on the same shard."""
        parts = (self.trajectories, self.one_step)
        memories = [shard.setdefault(type(part).__name__, {}) for part in parts]
        with parts[0].remember(memories[0]), parts[1].remember(memories[1]):
            yield

    def after_step(self, step: StepContext) -> None:
        """Update the target of the trajectories."""
        self.trajectories.after_step(step)

    def state(self) -> Mapping[str, Tensor]:
        """The target's weights."""
        return self.trajectories.state()

    def configuration(self) -> dict[str, Any]:
        """Both parts' settings."""
        return {
            "trajectories": self.trajectories.configuration(),
            "one_step": self.one_step.configuration(),
            "weight": self.weight,
        }

    def sample(self) -> Image.Image | None:
        """Draw a grid of the average student's pictures in 8, 4, 2 and 1 steps."""
        return self.trajectories.sample()
