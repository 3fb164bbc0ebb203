"""Make a reward model of votes, a second one of other votes, and the report on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from hypersd.arena.pictures import Pictures
from hypersd.feedback.bradley_terry import ChoiceTable, RewardTraining, Settings
from hypersd.feedback.preferences import Preferences, Split
from hypersd.feedback.reward import RewardModel
from hypersd.feedback.reward_folder import SECOND
from hypersd.feedback.reward_report import RewardReport, accuracy, examine, write
from hypersd.training.trainer import Trainer, TrainingConfig

_CURVE = (0.125, 0.25, 0.5)
_LEAST: Mapping[Split, int] = MappingProxyType({"train": 8, "validation": 2, "test": 4})


@dataclass(frozen=True, kw_only=True)
class RewardTask:
    """What a reward model is made of.

    Args:
        backbone: a CLIP model: a folder, or a repository in the Hub's cache.
        kind_of: the kind of a prompt, for the report.
        curve: whether models of fewer votes are trained too, for the learning curve.
    """

    preferences: Preferences
    pictures: Pictures
    backbone: Path | str
    out: Path
    kind_of: Callable[[str], str] = lambda _prompt: "all"
    settings: Settings = field(default_factory=Settings)
    curve: bool = True
    seed: int = 0

    def run(self) -> RewardReport:
        """Train both, examine, and write everything to `out`.

        Raises:
            ValueError: there are too few prompts with votes.
            OSError: a picture or the backbone is missing, or `out` cannot be written.
        """
        parts = {part: self.preferences.split(part, self.seed) for part in _LEAST}
        for part, least in _LEAST.items():
            if sum(one.decisive for one in parts[part]) < least:
                raise ValueError(
                    f"only {sum(one.decisive for one in parts[part])} votes that prefer a picture fall to {part}; "
                    f"{least} are needed there: collect votes on more prompts"
                )
        start = RewardModel.start(self.backbone)
        tables = {part: ChoiceTable.of(examples, self.pictures, start) for part, examples in parts.items()}
        validation = tables["validation"]
        model = self.fit(tables["train"], validation, "training")
        curve = [self._point(tables, share) for share in (_CURVE if self.curve else ())]
        curve.append((len(parts["train"]), accuracy(model, tables["test"]).value))
        second = self.fit(tables["test"], validation, "training-second")
        report = examine(
            model,
            self.preferences,
            tables,
            kind_of=self.kind_of,
            curve=curve,
            second=accuracy(second, tables["validation"]),
        )
        preferred = preferred_quantiles(model, tables["train"])
        model.facts |= {
            "data": report.data,
            "votes": report.votes,
            "kind": report.kind,
            "seed": self.seed,
            "accuracy": report.accuracy.value,
            "tested_from": self.preferences.tested_from(self.seed),
            "preferred": preferred,
        }
        second.facts |= {
            "data": report.data,
            "kind": report.kind,
            "seed": self.seed,
            "preferred": preferred_quantiles(second, tables["test"]),
        }
        model.save(self.out)
        second.save(self.out / SECOND)
        write(report, self.out)
        return report

    def _point(self, tables: Mapping[str, ChoiceTable], share: float) -> tuple[int, float]:
        """Votes and accuracy of a model that saw a share of the training prompts."""
        prompts = sorted({one.prompt for one in tables["train"].examples})
        kept = np.random.default_rng(self.seed).permutation(prompts)[: max(2, round(share * len(prompts)))]
        fewer = tables["train"].only(set(kept))
        model = self.fit(fewer, tables["validation"], f"training-{share:g}")
        return len(fewer.examples), accuracy(model, tables["test"]).value

    def fit(self, table: ChoiceTable, validation: ChoiceTable, name: str) -> RewardModel:
        """Train one model; it goes on where an earlier run stopped."""
        torch.manual_seed(self.seed)
        objective = RewardTraining(RewardModel.start(self.backbone), table, validation, self.settings)
        config = TrainingConfig(
            out=self.out / name, steps=self.settings.steps, seed=self.seed, warmup=20, decay_from=0.4, precision="no"
        )
        Trainer(config).run(objective, lambda step: table.sample(self.settings.batch_size, step))
        return objective.finish()


def preferred_quantiles(model: RewardModel, table: ChoiceTable) -> dict[str, float]:
    """Quantiles of the rewards of pictures that people preferred: where a hinge may be put (Hyper-SD, eq. 13)."""
    rewards = table.rewards(model)
    best = [rewards[row, 0 if one.target > 0.5 else 1] for row, one in enumerate(table.examples) if one.decisive]
    return {f"{share:g}": float(np.quantile(best, share)) for share in (0.25, 0.5, 0.75, 0.9)}
