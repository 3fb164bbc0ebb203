"""Diffusion-DPO (Wallace et al. 2023): the same votes without a reward model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from hypersd.arena.votes.images import ImageStore
from hypersd.distill.student import Student
from hypersd.feedback.preferences.dataset import Preference
from hypersd.feedback.reward.image_statistics import as_tensor
from hypersd.feedback.tuning.monitor import RewardHackingMonitor
from hypersd.feedback.tuning.rollout import times_of
from hypersd.feedback.tuning.tuning_methods import LEARNING_RATES
from hypersd.models.specs import Recipe
from hypersd.training.adapter_passes import disable_adapter
from hypersd.training.objective import Objective, StepContext, TrainedNetwork


@dataclass(frozen=True, slots=True)
class RankedBatch:
    """Latents of preferred and of other pictures, `(B, C, H, W)` each, and their prompts."""

    better: Tensor
    worse: Tensor
    prompts: list[str]


@dataclass(frozen=True, eq=False)
class RankedLatents:
    """Batches of decisive choices as latents, encoded once: `RankedLatents(…)(step)`."""

    better: Tensor
    worse: Tensor
    prompts: tuple[str, ...]
    batch_size: int

    @classmethod
    @torch.no_grad()
    def of(
        cls, examples: Sequence[Preference], pictures: ImageStore, student: Student, batch_size: int
    ) -> RankedLatents:
        """Read and encode the pictures.

        Raises:
            ValueError: no example prefers a picture.
            OSError: a picture is missing or damaged.
        """
        decided = [one for one in examples if one.decisive]
        if not decided:
            raise ValueError("no vote prefers one picture; collect more votes")
        names = sorted({name for one in decided for name in one.pictures})
        encoded = {name: _encoded(pictures.open(name), student) for name in names}
        order = [one.pictures if one.target > 0.5 else one.pictures[::-1] for one in decided]
        return cls(
            torch.stack([encoded[better] for better, _ in order]),
            torch.stack([encoded[worse] for _, worse in order]),
            tuple(one.prompt for one in decided),
            batch_size,
        )

    def __call__(self, step: StepContext) -> RankedBatch:
        """A random batch."""
        chosen = step.mine(step.rng.integers(len(self.prompts), size=self.batch_size * step.shards))
        return RankedBatch(self.better[chosen], self.worse[chosen], [self.prompts[int(index)] for index in chosen])


def _encoded(picture: Image.Image, student: Student) -> Tensor:
    """A picture's latents `(C, H, W)`; models of one family draw at several sizes, the student at its own."""
    sized = picture.resize((student.pixels, student.pixels), Image.Resampling.BICUBIC)
    return student.latents(as_tensor([sized]).to(student.device))[0].cpu()


@dataclass(frozen=True, slots=True, kw_only=True)
class DPOConfig:
    """Choices of this project.

    Args:
        beta: β·T·ω(λ) of the paper's eq. 14 as one number: it multiplies differences of mean squared errors.
    """

    steps: int = 200
    batch_size: int = 16
    learning_rate: float = LEARNING_RATES["dpo"]
    rank: int = 8
    beta: float = 500.0


@dataclass(eq=False)
class DirectPreference(Objective[RankedBatch]):
    """Objective: noise is predicted better in preferred pictures than in others, compared with the untuned student.

    Times are those at which the student is used: its schedules' steps.
    """

    student: Student
    monitor: RewardHackingMonitor
    recipes: Sequence[Recipe]
    config: DPOConfig = field(default_factory=DPOConfig)

    def __post_init__(self) -> None:
        self.networks = [
            TrainedNetwork(
                name="feedback",
                module=self.student.unet,
                learning_rate=self.config.learning_rate,
                betas=(0.9, 0.99),
            )
        ]
        asked = {time for recipe in self.recipes for time in times_of(self.student, recipe)}
        self.times = torch.tensor(sorted(asked))

    def loss(self, network: str, batch: RankedBatch, step: StepContext) -> Mapping[str, Tensor]:
        """Logs `right`: how often the preferred picture's noise is predicted better, relative to the other's."""
        count = len(batch.prompts)
        drawn = step.integers(0, len(self.times), count)
        times = self.times.to(step.device)[drawn].repeat(2)
        # Both pictures of a choice get the same noise: less variance, the same expectation.
        noise = step.normal(batch.better.shape).repeat(2, 1, 1, 1)
        clean = torch.cat([batch.better, batch.worse]).to(step.device)
        noisy = self.student.schedule.to(step.device).add_noise(clean, noise, times)
        cond = self.student.text.conditioning([*batch.prompts, *batch.prompts])
        with torch.no_grad(), disable_adapter(self.student.unet):
            before = (self.student.predict(noisy, times, cond) - noise).square().mean(dim=(1, 2, 3))
        error = (self.student.predict(noisy, times, cond) - noise).square().mean(dim=(1, 2, 3))
        better, worse = (error - before).chunk(2)
        margin = worse - better
        return {
            "loss": -F.logsigmoid(self.config.beta * margin).mean(),
            "right": (margin > 0).float().mean(),
        }

    def after_step(self, step: StepContext) -> None:
        """Run the monitor.

        Raises:
            StopTraining: it speaks against going on.
        """
        self.monitor.after_step(step)

    def sample(self) -> Image.Image | None:
        """Draw a grid of the student's pictures now."""
        return self.monitor.validation.sample_grid()
