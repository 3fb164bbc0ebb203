"""Choice of the numbers of a picture that a reward model reads, and of the ridge, on prompts that were left out."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from hypersd.feedback.reward.bradley_terry import ChoiceTable, RewardConfig

Float64Array = NDArray[np.float64]
Candidate = tuple[int, float]
"""Number of statistics that are read, and the weight of the ridge."""

_PEERS = 16
"""Heads that read up to so many times as many statistics as the simplest good one have a say beside it."""

_NEVER = 1e-9
"""A statistic whose gaps are smaller than this never differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Weights of a linear head, and how they were come by.

    Args:
        scale: of each statistic `(F,)`: the root mean square of its gaps between two pictures of a choice.
        weights: `(F,)`, of statistics divided by their scale; 0 for those that are not read.
        margins: of each choice that compares, the difference of rewards by a head that had not seen its prompt `(C,)`.
    """

    scale: Float64Array
    weights: Float64Array
    margins: Float64Array

    @property
    def read(self) -> list[int]:
        """The places of the statistics that are read, those of most weight first."""
        return [int(place) for place in np.argsort(-np.abs(self.weights)) if self.weights[place]]


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Choices between two pictures: gaps `(C, F)`, how much the left is preferred, weights, prompts `(C,)`."""

    gaps: Float64Array
    targets: Float64Array
    weights: Float64Array
    prompts: NDArray[np.str_]

    @classmethod
    def of(cls, table: ChoiceTable) -> Comparisons:
        """All choices of a table but those that found both pictures bad."""
        compares = np.array([not one.both_bad for one in table.examples])
        return cls(
            table.gaps[compares],
            np.array([one.target for one in table.examples])[compares],
            np.array([one.weight for one in table.examples])[compares],
            np.array(table.prompts)[compares],
        )

    def part(self, rows: NDArray[np.bool_]) -> Comparisons:
        """Some of them."""
        return Comparisons(self.gaps[rows], self.targets[rows], self.weights[rows], self.prompts[rows])

    @property
    def scale(self) -> Float64Array:
        """The root mean square of each statistic's gaps; 1 for one that never differs.

        Not the deviation between all pictures: two pictures of one prompt differ far less than two prompts do, and a
        ridge on that scale would hide colour, size and place.
        """
        size = np.sqrt(np.square(self.gaps).mean(axis=0))
        return np.where(size > _NEVER, size, 1.0)


def select(choices: Comparisons, config: RewardConfig) -> Selected:
    """The mean of the heads that are as good as the best one on prompts that were left out.

    Statistics are ranked by how far each alone goes with the choices (sure independence screening: Fan and Lv 2008);
    the first k are read, with a ridge. Cross-validation over prompts finds the best k and ridge. By the rule of one
    standard error (Breiman et al. 1984) a head is as good if its loss is within one standard error, over prompts, of
    the lowest. For each k the one of the strongest ridge has an equal say, up to `_PEERS` times the smallest k. One
    statistic alone is a candidate. Of numbers that tell the same, such as the three channels of one brightness, several
    are read: a reward that looks at one of them would be pleased by changing that one alone.

    Raises:
        ValueError: all choices are on one prompt.
    """
    prompts = sorted(set(choices.prompts), key=lambda text: sha256(text.encode()).hexdigest())
    if len(prompts) < 2:
        raise ValueError("the votes to learn from are on one prompt; collect votes on more prompts")
    fold_of = {prompt: place % config.folds for place, prompt in enumerate(prompts)}
    folds = np.array([fold_of[prompt] for prompt in choices.prompts])
    margins: dict[Candidate, Float64Array] = {}
    for fold in range(min(config.folds, len(prompts))):
        left_out = folds == fold
        gaps = choices.gaps[left_out]
        for candidate, weights in fit(choices.part(~left_out), config).items():
            margins.setdefault(candidate, np.zeros(len(folds)))[left_out] = gaps @ weights
    good = _as_good(margins, choices)
    # Stronger ridges make smaller margins; on one scale, each head has an equal say.
    say = {one: 1 / max(_NEVER, float(np.sqrt(np.square(margins[one]).mean()))) / len(good) for one in good}
    heads = fit(choices, config)
    return Selected(
        scale=choices.scale,
        weights=np.sum([say[one] * heads[one] for one in good], axis=0) * choices.scale,
        margins=np.sum([say[one] * margins[one] for one in good], axis=0),
    )


def fit(choices: Comparisons, config: RewardConfig) -> dict[Candidate, Float64Array]:
    """The weights `(F,)` of every candidate, for statistics as they are."""
    scaled = choices.gaps / choices.scale
    signs = choices.weights * (choices.targets - 0.5)
    order = np.argsort(-np.abs(signs @ scaled), kind="stable")
    counts = sorted({min(count, len(order)) for count in config.counts})
    by_key: dict[Candidate, Float64Array] = {}
    for count, ridge in product(counts, config.ridges):
        read = order[:count]
        weights = np.zeros(len(order))
        weights[read] = logistic(
            scaled[:, read], choices.targets, weights=choices.weights, ridge=ridge, steps=config.steps
        )
        by_key[count, ridge] = weights / choices.scale
    return by_key


def logistic(
    features: Float64Array,
    targets: Float64Array,
    *,
    weights: Float64Array | None = None,
    ridge: float = 5e-3,
    steps: int = 300,
) -> Float64Array:
    """Weights `(F,)` of a logistic regression on `(N, F)`: mean cross-entropy plus ridge × squared length.

    It has no intercept: swapping the sides turns the sign of all features.
    """
    share = np.full(len(targets), 1.0) if weights is None else weights
    share = share / share.sum()

    def objective(at: Float64Array) -> tuple[float, Float64Array]:
        margin = features @ at
        residual = share * (_chance(margin) - targets)
        return float(share @ _loss(margin, targets) + ridge * at @ at), features.T @ residual + 2 * ridge * at

    start = np.zeros(features.shape[1])
    return np.asarray(minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x)


def _loss(margin: Float64Array, targets: Float64Array) -> Float64Array:
    return np.logaddexp(0, margin) - targets * margin


def _chance(margin: Float64Array) -> Float64Array:
    return np.exp(-np.logaddexp(0, -margin))


def _as_good(margins: dict[Candidate, Float64Array], choices: Comparisons) -> list[Candidate]:
    """The candidates that have a say: within one standard error of the lowest loss, and not far larger than need be."""
    losses = {one: choices.weights * _loss(margin, choices.targets) for one, margin in margins.items()}
    best = losses[min(losses, key=lambda one: losses[one].sum())]
    _, prompt = np.unique(choices.prompts, return_inverse=True)
    more = {one: np.bincount(prompt, loss - best) for one, loss in losses.items()}
    good = [one for one, extra in more.items() if extra.sum() <= np.sqrt(np.square(extra).sum())]
    strongest = {count: max(ridge for other, ridge in good if other == count) for count, _ in good}
    return [(count, ridge) for count, ridge in strongest.items() if count <= _PEERS * min(strongest)]
