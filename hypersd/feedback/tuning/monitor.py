"""Watches a model that learns to please a reward: is it better, or has it found what the reward overlooks?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from hypersd.distill.student import Student
from hypersd.feedback.reward.image_statistics import NAMES, statistics
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.feedback.tuning.rollout import Rollout, fixed_noise, rollout_to_step
from hypersd.models.specs import Recipe
from hypersd.training.image_tensors import to_picture
from hypersd.training.objective import StepContext, StopTraining
from hypersd.utils.files import write_json

_SLACK = 2.0
"""Allowed overshoot during training, as a factor of the limits: the final merge picks a smaller weight anyway."""

_COLUMNS = 8
"""Prompts on a grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationMetrics:
    """Metrics of the pictures that the model draws for the validation prompts.

    Args:
        reward: mean of the reward that is learned from.
        second: mean of a reward model of other votes, which is not.
        alignment: how well pictures fit their prompts: the mean of the reward's backbone.
        diversity: mean distance (1 − cosine of picture features) between pictures of one prompt.
        distance: mean squared distance of the clean latents to what the untuned student draws.
        statistics: mean of each of the pictures' statistics.
    """

    reward: float
    second: float
    alignment: float
    diversity: float
    distance: float
    statistics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits beyond which a training is taken for reward hacking.

    Args:
        diversity: the lowest share of the start's diversity.
        alignment_fall: how far the alignment may fall from the start's, in the backbone's points.
        second_fall: how far the second reward may fall from its best, in quartile distances of preferred pictures.
        statistic_deviations: how far a statistic's mean may move, in standard deviations of the pictures at the start.
    """

    diversity: float = 0.9
    alignment_fall: float = 0.5
    second_fall: float = 0.1
    statistic_deviations: float = 1.0


@dataclass(eq=False)
class ValidationSet:
    """A fixed set of prompts and noises on which a student is looked at.

    Args:
        seeds: noises for each prompt; 2 or more, or there is no diversity to measure.
        recipes: the student's; the prompts take turns with them.
    """

    student: Student
    reward: RewardModel
    holdout_reward: RewardModel
    recipes: Sequence[Recipe]
    prompts: Sequence[str]
    seeds: int = 4
    noise: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.noise = fixed_noise(self.student, len(self.prompts) * self.seeds, 0).to(self.student.device)
        self.texts = self.reward.embed_prompts(self.prompts)
        self.second_texts = self.holdout_reward.embed_prompts(self.prompts)

    @torch.no_grad()
    def evaluate(self) -> tuple[ValidationMetrics, Tensor]:
        """The check, and the statistics of every picture `(N, 4)`."""
        rewards, seconds, aligned, spreads, distances, measured = [], [], [], [], [], []
        for index in range(len(self.prompts)):
            drawn = self._drawn(index, self.recipes[index % len(self.recipes)], self.seeds)
            pictures = self.student.picture(drawn.tuned).clamp(-1, 1)
            looks = self.reward.head_features(pictures, self.texts[index].expand(self.seeds, -1))
            rewards.append(self.reward.score_features(looks))
            aligned.append(looks[:, 0])
            seconds.append(self.holdout_reward(pictures, self.second_texts[index].expand(self.seeds, -1)))
            spreads.append(spread(self.holdout_reward.embed_images(pictures)))
            distances.append((drawn.tuned - drawn.untuned).square().mean())
            measured.append(statistics(pictures))
        every = torch.cat(measured)
        check = ValidationMetrics(
            reward=float(torch.cat(rewards).mean()),
            second=float(torch.cat(seconds).mean()),
            alignment=float(torch.cat(aligned).mean()),
            diversity=float(torch.stack(spreads).mean()),
            distance=float(torch.stack(distances).mean()),
            statistics=dict(zip(NAMES, map(float, every.mean(dim=0)), strict=True)),
        )
        return check, every

    @torch.no_grad()
    def sample_grid(self) -> Image.Image:
        """Draw the student's pictures now: prompts from left to right, a row for each recipe, most steps first."""
        columns = min(_COLUMNS, len(self.prompts))
        rows = sorted(self.recipes, key=lambda recipe: -recipe.steps)
        drawn = [self._drawn(index, recipe, 1).tuned for recipe in rows for index in range(columns)]
        return to_picture(torch.cat([self.student.picture(latents) for latents in drawn]), columns)

    def _drawn(self, index: int, recipe: Recipe, count: int) -> Rollout:
        """A prompt's first few, from the same noise each time."""
        noise = self.noise[index * self.seeds :][:count]
        cond = self.student.text.conditioning([self.prompts[index]] * count)
        generator = torch.Generator().manual_seed(index)
        return rollout_to_step(self.student, recipe, noise, cond, recipe.steps - 1, generator=generator)


def spread(features: Tensor) -> Tensor:
    """Mean pairwise 1 − cosine of features `(N, D)` of length 1."""
    count = len(features)
    similar = features @ features.T
    return 1 - (similar.sum() - similar.trace()) / (count * (count - 1))


@dataclass(eq=False)
class RewardHackingMonitor:
    """Looks at a student in training now and then, and ends it where something speaks against going on.

    How far to go back is then asked of the merge, which looks at smaller weights of what was learned.

    Args:
        validation: of the student before its training.
        every: steps from one look to the next.
        file: remembers what was seen, for a training that is broken off and goes on; None remembers nothing.
    """

    validation: ValidationSet
    every: int
    limits: Limits = field(default_factory=Limits)
    file: Path | None = None
    history: list[tuple[int, ValidationMetrics]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.start, pictures = self.validation.evaluate()
        self.deviations = pictures.std(dim=0)
        self.history = [(0, self.start), *self._remembered()]

    def after_step(self, step: StepContext) -> None:
        """Look, if it is time to.

        Raises:
            StopTraining: something speaks against going on.
        """
        number = step.number + 1
        if number % self.every:
            return
        check, _ = self.validation.evaluate()
        # A training that was broken off does the steps after its last checkpoint again.
        self.history = [*((when, one) for when, one in self.history if when < number), (number, check)]
        self._remember()
        best = max(one.second for _, one in self.history)
        if objection := self.violation(check, best, slack=_SLACK):
            raise StopTraining(objection)

    def _remembered(self) -> list[tuple[int, ValidationMetrics]]:
        if self.file is None or not self.file.exists():
            return []
        try:
            return [
                (step, ValidationMetrics(**seen)) for step, seen in json.loads(self.file.read_text(encoding="utf-8"))
            ]
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{self.file} is damaged ({error}); delete its folder and the training starts anew"
            ) from error

    def _remember(self) -> None:
        if self.file is not None:
            write_json(self.file, [(step, asdict(one)) for step, one in self.history[1:]])

    def violation(self, check: ValidationMetrics, second: float, slack: float = 1.0) -> str:
        """Describe the limit that these metrics violate, compared with the start; empty if none.

        Args:
            check: what the student draws now.
            second: the second reward from which it must not have fallen far.
            slack: factor on how far diversity and statistics may move.
        """
        if check.diversity < (1 - slack * (1 - self.limits.diversity)) * self.start.diversity:
            return f"diversity fell to {check.diversity / self.start.diversity:.0%} of the start's"
        points = (check.alignment - self.start.alignment) / self.validation.reward.backbone.noticeable_difference
        if points < -slack * self.limits.alignment_fall:
            return f"pictures fit their prompts less: {points:+.1f} points"
        if check.second < second - self.limits.second_fall * self.validation.holdout_reward.reward_iqr:
            return (
                f"the second reward model fell from {second:.2f} to {check.second:.2f} "
                "while the first was being pleased"
            )
        for index, name in enumerate(NAMES):
            moved = abs(check.statistics[name] - self.start.statistics[name]) / max(float(self.deviations[index]), 1e-6)
            if moved > slack * self.limits.statistic_deviations:
                return f"the pictures' {name} moved by {moved:.1f} standard deviations"
        return ""
