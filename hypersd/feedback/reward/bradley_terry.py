"""Training of a reward model on choices: Bradley–Terry with ties (Hyper-SD, eq. 9; PickScore's soft labels)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hypersd.arena.dataset.splits import normalised
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preference
from hypersd.feedback.reward.image_statistics import as_tensor
from hypersd.feedback.reward.reward_model import RewardModel

_BATCH = 64
"""Pictures that are looked at at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardConfig:
    """Settings for the fit of a reward model.

    Args:
        steps: at most so many of the solver (L-BFGS); it needs fewer, since the problem is convex.
        counts: of statistics that are read, which are compared; there may be fewer statistics.
        ridges: weights of the squared length of the head's weights, which are compared.
        folds: parts of the prompts that are left out in turn.
    """

    steps: int = 300
    counts: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128)
    ridges: Sequence[float] = (1e-1, 1e-2, 1e-3)
    folds: int = 5


@dataclass(frozen=True, slots=True)
class ChoiceBatch:
    """B choices: what the head reads of the left and right pictures `(B, F)`, targets, bad, weights `(B,)`."""

    left: Tensor
    right: Tensor
    targets: Tensor
    both_bad: Tensor
    weights: Tensor


@dataclass(frozen=True, eq=False)
class ChoiceTable:
    """All choices of a part of the data; every picture is read once for each prompt that it was drawn for.

    Args:
        features: what the head reads of each picture, `(N, F)`.
        sides: of each choice, the rows of its pictures, `(C, 2)`.
    """

    features: Tensor
    sides: NDArray[np.int64]
    examples: tuple[Preference, ...]

    @classmethod
    @torch.no_grad()
    def of(cls, examples: Sequence[Preference], pictures: ImageStore, model: RewardModel) -> ChoiceTable:
        """Look at the pictures.

        Raises:
            ValueError: there are no examples.
            OSError: a picture is missing or damaged.
        """
        if not examples:
            raise ValueError("there are no votes to learn from, or none to test on; collect votes on more prompts")
        keys = sorted({(name, one.prompt) for one in examples for name in one.pictures})
        looks: list[Tensor] = []
        for start in range(0, len(keys), _BATCH):
            some = keys[start : start + _BATCH]
            seen = as_tensor([model.resize_input(pictures.open(name)) for name, _ in some])
            looks.append(model.head_features(seen, model.embed_prompts([prompt for _, prompt in some])))
        row = {key: index for index, key in enumerate(keys)}
        return cls(
            features=torch.cat(looks),
            sides=np.array([[row[name, one.prompt] for name in one.pictures] for one in examples]),
            examples=tuple(examples),
        )

    @property
    def prompts(self) -> list[str]:
        """The normalised prompt of each choice: the folds of a cross-validation are made of these."""
        return [normalised(one.prompt) for one in self.examples]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """The left picture's numbers less the right one's, of each choice, `(C, F)`."""
        numbers = self.features.double().numpy()
        return numbers[self.sides[:, 0]] - numbers[self.sides[:, 1]]

    def only(self, prompts: Collection[str]) -> ChoiceTable:
        """The choices of some prompts."""
        kept = [index for index, one in enumerate(self.examples) if one.prompt in prompts]
        return replace(self, sides=self.sides[kept], examples=tuple(self.examples[index] for index in kept))

    def batch(self, chosen: NDArray[np.int64]) -> ChoiceBatch:
        """The choices of these indices."""
        some = [self.examples[index] for index in chosen]
        left, right = (self.features[self.sides[chosen, side]] for side in (0, 1))
        return ChoiceBatch(
            left,
            right,
            torch.tensor([one.target for one in some]),
            torch.tensor([one.both_bad for one in some]),
            torch.tensor([one.weight for one in some]),
        )

    @torch.no_grad()
    def rewards(self, model: RewardModel) -> NDArray[np.float64]:
        """The model's rewards of every choice's pictures, `(C, 2)`."""
        return model.score_features(self.features).double().numpy()[self.sides]


def choice_loss(left: Tensor, right: Tensor, batch: ChoiceBatch, absolute: float) -> Tensor:
    """Mean weighted loss of rewards `(B,)`.

    Cross-entropy of σ(r_left − r_right) with the target; and, weighted by `absolute`, what "both bad" says: both
    pictures lie below 0 then, and a preferred one above.
    """
    gap = F.binary_cross_entropy_with_logits(left - right, batch.targets, reduction="none")
    compared = torch.where(batch.both_bad, torch.zeros_like(gap), gap)
    both = F.softplus(left) + F.softplus(right)
    better = F.softplus(-torch.where(batch.targets > 0.5, left, right))
    decided = batch.targets != 0.5
    anchored = torch.where(batch.both_bad, both, torch.where(decided, better, torch.zeros_like(better)))
    return (batch.weights * (compared + absolute * anchored)).mean()
