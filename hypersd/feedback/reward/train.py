"""Make a reward model of votes, a second one of other votes, and the report on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hypersd.arena.dataset.splits import SPLITS
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preference, Preferences
from hypersd.feedback.reward.bradley_terry import ChoiceTable, RewardConfig, choice_loss
from hypersd.feedback.reward.feature_selection import Comparisons, Selected, select
from hypersd.feedback.reward.reward_card import CARD, reward_card
from hypersd.feedback.reward.reward_folder import SECOND, RewardMetadata
from hypersd.feedback.reward.reward_model import LOOKS, RewardModel
from hypersd.feedback.reward.reward_report import RewardReport, accuracy, examine, write
from hypersd.utils.files import write_text

_CURVE = (0.125, 0.25, 0.5)
_LEAST = {"learn from": 8, "test on": 4}
_FEWEST_PROMPTS = 2


@dataclass(frozen=True, kw_only=True)
class RewardTask:
    """Task of making a reward model of votes.

    Args:
        backbone: a CLIP model: a folder, or a repository in the Hub's cache.
        kind_of: the kind of a prompt, for the report.
        curve: whether models of fewer votes are trained too, for the learning curve.
        seed: of the prompts that the learning curve leaves out; the split of prompts does not depend on it.
    """

    preferences: Preferences
    pictures: ImageStore
    backbone: Path | str
    out: Path
    kind_of: Callable[[str], str] = lambda _prompt: "all"
    config: RewardConfig = field(default_factory=RewardConfig)
    curve: bool = True
    seed: int = 0

    def run(self) -> RewardReport:
        """Train both, examine, and write everything to `out`.

        The first model learns from the prompts of train and validation, each of which has its turn as a prompt that is
        left out, to choose what is read; the second learns from those of test in the same way.

        Raises:
            ValueError: there are too few prompts with votes.
            OSError: a picture or the backbone is missing, or `out` cannot be written.
        """
        parts = {split: self.preferences.split(split) for split in SPLITS}
        learned = (*parts["train"], *parts["validation"])
        _check_enough(learned, "learn from")
        _check_enough(parts["test"], "test on")
        start = RewardModel.start(self.backbone)
        table = ChoiceTable.of(self.preferences.examples, self.pictures, start)
        train, test = (table.only({one.prompt for one in some}) for some in (learned, parts["test"]))
        model, selected = fit_head(start, train, self.config)
        curve = [self._point(start, train, test, share) for share in (_CURVE if self.curve else ())]
        curve.append((len(learned), accuracy(model, test).value))
        second, _ = fit_head(start, test, self.config)
        report = examine(
            model,
            self.preferences,
            train,
            test,
            config=self.config,
            kind_of=self.kind_of,
            curve=curve,
            second=accuracy(second, train),
            reads=[LOOKS[place] for place in selected.read],
        )
        common = RewardMetadata(data=report.data, kind=report.kind, seed=self.seed)
        model.metadata |= common
        model.metadata |= RewardMetadata(
            votes=report.votes,
            accuracy=report.accuracy.value,
            accuracy_interval=[report.accuracy.low, report.accuracy.high],
            reads=report.reads,
            preferred=preferred_quantiles(model, train),
        )
        second.metadata |= common
        second.metadata |= RewardMetadata(preferred=preferred_quantiles(second, test))
        model.save(self.out)
        second.save(self.out / SECOND)
        write(report, self.out)
        write_text(self.out / CARD, reward_card(report, self.backbone))
        return report

    def _point(self, start: RewardModel, train: ChoiceTable, test: ChoiceTable, share: float) -> tuple[int, float]:
        """Votes and accuracy of a model that saw a share of the prompts to learn from."""
        prompts = sorted({one.prompt for one in train.examples})
        count = max(_FEWEST_PROMPTS, round(share * len(prompts)))
        fewer = train.only(set(np.random.default_rng(self.seed).permutation(prompts)[:count]))
        return len(fewer.examples), accuracy(fit_head(start, fewer, self.config)[0], test).value


def _check_enough(examples: Sequence[Preference], purpose: str) -> None:
    """Refuse too few votes.

    Raises:
        ValueError: there are too few, or on too few prompts.
    """
    decided = [one.prompt for one in examples if one.decisive]
    if len(decided) < _LEAST[purpose] or len(set(decided)) < _FEWEST_PROMPTS:
        raise ValueError(
            f"only {len(decided)} votes that prefer a picture, on {len(set(decided))} prompts, are there to {purpose}; "
            f"{_LEAST[purpose]} on {_FEWEST_PROMPTS} are needed: collect votes on more prompts"
        )


def fit_head(start: RewardModel, table: ChoiceTable, config: RewardConfig) -> tuple[RewardModel, Selected]:
    """A model on the same backbone with a head for these choices, frozen, and how the head was selected.

    Its rewards are on the scale on which the odds of choices that were left out are right.

    Raises:
        ValueError: all choices are on one prompt.
    """
    selected = select(Comparisons.of(table), config)
    model = RewardModel(start.backbone, RewardMetadata(**start.metadata))
    model.set_head(table.features.mean(dim=0), torch.from_numpy(selected.scale), torch.from_numpy(selected.weights))
    compared = [one for one in table.examples if not one.both_bad]
    toward = np.array([2 * one.target - 1 for one in compared])
    model.temperature.fill_(temperature((toward * selected.margins)[toward != 0]))
    with torch.no_grad():
        model.head.bias.fill_(zero(model, table) * float(model.temperature))
    return model.requires_grad_(False).eval(), selected


def temperature(gaps: NDArray[np.float64]) -> float:
    """By how much to divide rewards so that choices are likeliest (Guo et al. 2017).

    Args:
        gaps: reward of the preferred picture less the other's, on prompts that were not learned from.
    """
    candidates = np.geomspace(0.125, 64, 181)
    losses = [np.logaddexp(0, -gaps / candidate).mean() for candidate in candidates]
    return float(candidates[int(np.argmin(losses))])


def zero(model: RewardModel, table: ChoiceTable) -> float:
    """Offset to add to rewards: pictures of a "both bad" lie below 0 and preferred ones above, as far as possible.

    A normal prior, as wide as the rewards differ, weighs as much as one vote: without a "both bad" there is no border.
    """
    batch = table.batch(np.arange(len(table.examples)))
    rewards = torch.from_numpy(table.rewards(model))
    left, right = rewards.float().T
    width = max(1e-3, float(rewards.std()))

    def loss(offset: float) -> float:
        return float(choice_loss(left + offset, right + offset, batch, 1.0)) + (offset / width) ** 2 / (2 * len(left))

    value: Any = minimize_scalar(loss, bounds=(-10 * width, 10 * width), method="bounded")
    return float(value.x)


def preferred_quantiles(model: RewardModel, table: ChoiceTable) -> dict[str, float]:
    """Quantiles of the rewards of pictures that people preferred: where a hinge may be put (Hyper-SD, eq. 13)."""
    rewards = table.rewards(model)
    best = [rewards[row, 0 if one.target > 0.5 else 1] for row, one in enumerate(table.examples) if one.decisive]
    return {f"{share:g}": float(np.quantile(best, share)) for share in (0.25, 0.5, 0.75, 0.9)}
