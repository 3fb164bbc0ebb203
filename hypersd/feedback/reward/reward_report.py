"""Report on a reward model: its accuracy beside the agreement of voters, and the shortcuts it could have used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import JsonValue

from hypersd.arena.dataset.splits import count_prompts
from hypersd.arena.votes.battle import Kind
from hypersd.feedback.loop.results import RewardResult
from hypersd.feedback.preferences.dataset import Preferences
from hypersd.feedback.reward.bradley_terry import ChoiceTable, RewardConfig
from hypersd.feedback.reward.reward_model import LOOKS, RewardModel
from hypersd.feedback.reward.shortcuts import decisive, hits_by_identity, hits_by_one, hits_by_statistics, left_won
from hypersd.utils.estimates import Estimate, percentile_interval, resamples, wilson
from hypersd.utils.files import atomic_path, finite, write_json, write_text

_BINS = 8
_ROUNDS = 1000
_FEW_PROMPTS = 5
_NAMED = 8
"""Of the numbers that are read, how many the report names."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Choices predicted with about one probability: the mean prediction, how often it was right, and how many."""

    predicted: float
    right: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardReport:
    """Measurements of a reward model, all on prompts that it was not trained on.

    Args:
        accuracy: of decisive choices, how many it predicts; the interval is a bootstrap over prompts.
        self_agreement, agreement: of the voters, with themselves and with each other: the ceiling.
        by_kind, by_pair: accuracy by kind of prompt, and by pair of models.
        calibration: by predicted probability; `calibration_error` is its expected error (ECE).
        curve: votes that it was trained on, and the accuracy that came of it.
        shortcuts: accuracy from the pictures' statistics alone, and from the models' identity alone.
        left, right: accuracy where the left and where the right picture was preferred.
        swap_error: the largest |p(a, b) + p(b, a) − 1|.
        second: accuracy of the second model, trained on the votes of test, on the prompts that the first learned from.
        best_statistic: the one number of a picture that alone tells most; how much is among the shortcuts.
        reads: the numbers that the head reads, those of most weight first.
    """

    kind: Kind
    data: str
    votes: int
    prompts: Mapping[str, int]
    accuracy: Estimate
    self_agreement: Estimate
    agreement: Estimate
    by_kind: Mapping[str, Estimate]
    by_pair: Mapping[str, Estimate]
    calibration: tuple[Bin, ...]
    calibration_error: float
    curve: tuple[tuple[int, float], ...]
    shortcuts: Mapping[str, Estimate]
    left: Estimate
    right: Estimate
    swap_error: float
    second: Estimate
    best_statistic: str = ""
    reads: Sequence[str] = ()

    @property
    def learned(self) -> bool:
        """True if it predicts unseen choices better than chance, beyond doubt: the interval lies above one half."""
        return self.accuracy.low > 0.5

    def as_dict(self) -> dict[str, JsonValue]:
        """For JSON: what is not a number is null; `accuracy` is the number, its interval stands beside it."""
        document = finite(asdict(self))
        interval = document["accuracy"]
        return document | {
            "accuracy": interval["value"],
            "accuracy_interval": [interval["low"], interval["high"]],
            "decisive": interval["n"],
            "learned": self.learned,
        }

    def result(self, model: str) -> RewardResult:
        """The figures that a round's folder keeps; `model` is the hash of the weights."""
        return RewardResult(
            kind=self.kind,
            accuracy=self.accuracy.value,
            accuracy_interval=(self.accuracy.low, self.accuracy.high),
            decisive=self.accuracy.n,
            self_agreement=self.self_agreement,
            agreement=self.agreement,
            shortcuts=dict(self.shortcuts),
            model=model,
            data=self.data,
            votes=self.votes,
            prompts=dict(self.prompts),
            learned=self.learned,
        )


def share_by_prompt(hits: NDArray[np.bool_], prompts: Sequence[str], seed: int = 0) -> Estimate:
    """A share with a 95 % bootstrap interval over prompts: votes on one prompt are not independent.

    It is never narrower than Wilson's for as many independent votes or, of few prompts, as prompts: a perfect record
    has no spread to draw from, and a handful of prompts shows too little of it.
    """
    if not len(hits):
        return wilson(0, 0)
    _, group = np.unique(np.asarray(prompts), return_inverse=True)
    right, total = np.bincount(group, hits), np.bincount(group)
    blocks = resamples(len(total), _ROUNDS, seed)
    shares = [right[drawn].sum(axis=1) / total[drawn].sum(axis=1) for drawn in blocks]
    low, high = percentile_interval(np.concatenate(shares))
    share = float(hits.mean())
    counts = [len(hits), *([len(total)] if len(total) < _FEW_PROMPTS else [])]
    wider = [wilson(round(share * count), count) for count in counts]
    return Estimate(share, min(low, *(one.low for one in wider)), max(high, *(one.high for one in wider)), len(hits))


def accuracy(model: RewardModel, table: ChoiceTable) -> Estimate:
    """Of the table's decisive choices, how many the model predicts."""
    asked = decisive(table.examples)
    rewards = table.rewards(model)[asked]
    hits = (rewards[:, 0] > rewards[:, 1]) == left_won(table.examples)[asked]
    return share_by_prompt(hits, _prompts(table, asked))


def _prompts(table: ChoiceTable, asked: NDArray[np.bool_]) -> list[str]:
    return [one.prompt for one, wanted in zip(table.examples, asked, strict=True) if wanted]


def examine(
    model: RewardModel,
    preferences: Preferences,
    train: ChoiceTable,
    test: ChoiceTable,
    *,
    config: RewardConfig,
    kind_of: Callable[[str], str],
    curve: Sequence[tuple[int, float]],
    second: Estimate,
    reads: Sequence[str],
) -> RewardReport:
    """Everything about a model, from the choices that it learned from and those of the test prompts."""
    asked, won = decisive(test.examples), left_won(test.examples)
    rewards = test.rewards(model)
    gap = (rewards[:, 0] - rewards[:, 1])[asked]
    won = won[asked]
    hits = (gap > 0) == won
    prompts = _prompts(test, asked)
    kinds = np.array([kind_of(prompt) for prompt in prompts])
    pairs = np.array([" against ".join(sorted(one.models)) for one in test.examples])[asked]
    calibration, error = calibrate(gap, won)
    best, hits_by_best = hits_by_one(train, test, config)
    swapped = 1 / (1 + np.exp(-gap)) + 1 / (1 + np.exp(gap)) - 1
    return RewardReport(
        kind=preferences.kind,
        data=preferences.digest,
        votes=len(preferences.examples),
        prompts=count_prompts(one.prompt for one in preferences.examples),
        accuracy=share_by_prompt(hits, prompts),
        self_agreement=preferences.self_agreement,
        agreement=preferences.agreement,
        by_kind={kind: _share(hits[kinds == kind]) for kind in sorted(set(kinds))},
        by_pair={pair: _share(hits[pairs == pair]) for pair in sorted(set(pairs))},
        calibration=calibration,
        calibration_error=error,
        curve=tuple(curve),
        shortcuts={
            "image statistics": share_by_prompt(hits_by_statistics(train, test), prompts),
            "the best single statistic": share_by_prompt(hits_by_best, prompts),
            "identity of the model": share_by_prompt(hits_by_identity(train.examples, test.examples), prompts),
        },
        left=_share(hits[won]),
        right=_share(hits[~won]),
        swap_error=float(np.abs(swapped).max(initial=0.0)),
        second=second,
        best_statistic=LOOKS[best],
        reads=tuple(reads),
    )


def _share(hits: NDArray[np.bool_]) -> Estimate:
    return wilson(int(hits.sum()), len(hits))


def calibrate(gap: NDArray[np.float64], left: NDArray[np.bool_]) -> tuple[tuple[Bin, ...], float]:
    """Bins of equal width over the predicted probability of the side that is predicted, and the expected error."""
    confidence = 1 / (1 + np.exp(-np.abs(gap)))
    right = (gap > 0) == left
    place = np.minimum(((confidence - 0.5) * 2 * _BINS).astype(int), _BINS - 1)
    bins = tuple(
        Bin(float(confidence[place == index].mean()), float(right[place == index].mean()), int((place == index).sum()))
        for index in range(_BINS)
        if (place == index).any()
    )
    error = sum(one.n * abs(one.predicted - one.right) for one in bins) / max(1, len(gap))
    return bins, float(error)


def verdict(report: RewardReport) -> str:
    """Say in a sentence if anything was learned, and of what."""
    share = report.accuracy
    right = f"{share.value:.1%} of unseen choices ({share.low:.1%} to {share.high:.1%})"
    if not report.learned:
        return (
            f"**Nothing was learned**: it predicts {right}, which is no better than chance. "
            "Nothing can be tuned by it; collect votes on more prompts."
        )
    text = f"It predicts {right}"
    if not report.reads:
        return f"{text}."
    more = f" and {len(report.reads) - _NAMED} other numbers" if len(report.reads) > _NAMED else ""
    return f"{text}. It reads, by weight: {', '.join(report.reads[:_NAMED])}{more}."


def markdown(report: RewardReport) -> str:
    """The report for people."""

    def show(share: Estimate) -> str:
        return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}], n = {share.n:,}" if share.n else "not measured"

    rows = [
        ("Accuracy on unseen prompts", show(report.accuracy)),
        ("Voters agree with themselves", show(report.self_agreement)),
        ("Voters agree with each other", show(report.agreement)),
        *((f"From {name} alone{_which(report, name)}", show(share)) for name, share in report.shortcuts.items()),
        *((f"Prompts: {name}", show(share)) for name, share in report.by_kind.items()),
        ("Where the left picture was preferred", show(report.left)),
        ("Where the right picture was preferred", show(report.right)),
        ("Largest change by swapping sides", f"{report.swap_error:.1e}"),
        ("Expected calibration error", f"{report.calibration_error:.3f}"),
        ("Second model, of other votes", show(report.second)),
    ]
    voters = "simulated" if report.kind == "simulated" else "human"
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    pairs = "\n".join(f"| {name} | {show(share)} |" for name, share in report.by_pair.items())
    prompts = ", ".join(f"{count:,} {part}" for part, count in report.prompts.items())
    return (
        f"# Reward model\n\n{verdict(report)}\n\n"
        f"{report.votes:,} {voters} votes that count, data `{report.data}`; prompts: {prompts}. "
        f"A reward model learns prompts, not votes: it rests on {sum(report.prompts.values()):,} of them.\n\n"
        f"| | |\n|---|---|\n{table}\n\n![Calibration](calibration.png) ![Learning curve](curve.png)\n\n"
        f"## By pair of models\n\n| | |\n|---|---|\n{pairs}\n"
    )


def _which(report: RewardReport, shortcut: str) -> str:
    return f": {report.best_statistic}" if shortcut == "the best single statistic" else ""


def figures(report: RewardReport) -> dict[str, Figure]:
    """The calibration plot and the learning curve."""
    calibration = Figure(figsize=(4, 4), layout="constrained")
    axes = calibration.subplots()
    axes.plot([0.5, 1], [0.5, 1], color="grey", linewidth=1)
    axes.plot([one.predicted for one in report.calibration], [one.right for one in report.calibration], marker="o")
    axes.set(xlabel="predicted probability", ylabel="share predicted right", xlim=(0.48, 1.02), ylim=(0.0, 1.05))
    curve = Figure(figsize=(5, 4), layout="constrained")
    axes = curve.subplots()
    axes.plot(*zip(*report.curve, strict=True), marker="o", label="reward model")
    for name, share in (("voters with themselves", report.self_agreement), ("with each other", report.agreement)):
        if share.n:
            axes.axhline(share.value, linestyle="--", color="grey", linewidth=1)
            axes.annotate(name, (report.curve[0][0], share.value), fontsize=8, va="bottom")
    axes.set(xlabel="votes to learn from", ylabel="accuracy on unseen prompts", xscale="log")
    return {"calibration": calibration, "curve": curve}


def write(report: RewardReport, folder: Path) -> None:
    """Write `report.json`, `report.md` and the figures.

    Raises:
        OSError: the folder cannot be written.
    """
    write_json(folder / "report.json", report.as_dict())
    write_text(folder / "report.md", markdown(report))
    for name, figure in figures(report).items():
        with atomic_path(folder / f"{name}.png") as part:
            figure.savefig(part, dpi=120)
