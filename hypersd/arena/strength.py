"""Strengths from votes: the Davidson model of ties, with an effect of the side, by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hypersd.arena.tally import Floats, Tally

Ties = Literal["davidson", "half"]
PRIOR_GAMES = 1.0
_ITERATIONS = 100
_LARGEST_STEP = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The log-linear model of K comparisons: outcome o of comparison k weighs exp(x_ko·β + c_ko).

    β holds n strengths θ, then (if asked for) the side's log-odds γ, then (if ties are modelled) log ν.

    Args:
        features: x, `(K, 3, p)`.
        offsets: c, `(K, 3)`; −∞ where an outcome cannot be.
        prior: counts that the last rows (one for each contestant, and one for the side) have from the start, `(K, 3)`.
        contestants: n.
        side: the index of γ, or None.
        tie: the index of log ν, or None.
        ties: whether the model knows ties.
    """

    features: Floats
    offsets: Floats
    prior: Floats
    contestants: int
    side: int | None
    tie: int | None
    ties: bool

    def counts(self, votes: Floats) -> Floats:
        """Votes `(…, P, 3)` as counts of all comparisons `(…, K, 3)`, the prior's among them."""
        padded = np.zeros((*votes.shape[:-2], *self.prior.shape))
        padded[..., : votes.shape[-2], :] = self.games(votes)
        return padded + self.prior

    def games(self, votes: Floats) -> Floats:
        """Votes `(…, 3)` as the model knows them: if it knows no ties, each is half a win for both."""
        if self.ties:
            return votes
        left, right, tie = np.moveaxis(votes, -1, 0)
        return np.stack([left + tie / 2, right + tie / 2, np.zeros_like(tie)], axis=-1)

    def holding_ties(self, beta: Floats) -> Design:
        """The same with ν held at what it is in β `(p,)`: data without a tie, or of ties alone, do not tell it."""
        if self.tie is None:
            return self
        held = self.offsets + beta[self.tie] * self.features[..., self.tie]
        return replace(self, features=np.delete(self.features, self.tie, axis=-1), offsets=held, tie=None)

    def probabilities(self, beta: Floats) -> Floats:
        """Of each outcome of each comparison, `(…, K, 3)`, for β `(…, p)`."""
        logits = np.einsum("kop,...p->...ko", self.features, beta) + self.offsets
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    def scores(self, beta: Floats, counts: Floats) -> Floats:
        """Gradient of the log-likelihood, each comparison for itself, `(…, K, p)`."""
        expected = counts.sum(axis=-1, keepdims=True) * self.probabilities(beta)
        return np.einsum("...ko,kop->...kp", counts - expected, self.features)

    def information(self, beta: Floats, counts: Floats) -> Floats:
        """The Fisher information, minus the log-likelihood's Hessian, `(…, p, p)`.

        Strengths are known up to a constant; without a prior the constant is held at zero.
        """
        shares, games = self.probabilities(beta), counts.sum(axis=-1)
        mean = np.einsum("...ko,kop->...kp", shares, self.features)
        square = np.einsum("...k,...ko,kop,koq->...pq", games, shares, self.features, self.features, optimize=True)
        held = np.zeros(self.features.shape[-1])
        held[: self.contestants] = not self.prior.any()
        return square - np.einsum("...k,...kp,...kq->...pq", games, mean, mean, optimize=True) + np.outer(held, held)

    def solve(self, votes: Floats, start: Floats | None = None) -> Floats:
        """The most likely β `(…, p)` for votes `(…, P, 3)`: many data sets at once, by Newton's method.

        Raises:
            ArithmeticError: it does not converge (it has no maximum: a perfect record without a prior).
        """
        counts = self.counts(votes)
        beta = np.zeros((*votes.shape[:-2], self.features.shape[-1])) if start is None else start
        for _ in range(_ITERATIONS):
            slope = self.scores(beta, counts).sum(axis=-2)
            step = np.linalg.solve(self.information(beta, counts), slope[..., None])[..., 0]
            size = np.abs(step).max(axis=-1, keepdims=True)
            beta = beta + step * np.minimum(1, _LARGEST_STEP / np.maximum(size, 1e-300))
            if size.max(initial=0) < 1e-10:
                return beta
        raise ArithmeticError("the strengths have no finite maximum; use a prior of one game or so")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fit:
    """Strengths and what they were computed with.

    Args:
        theta: log-strengths, in the order of the tally's contestants, of mean zero `(n,)`.
        beta: all parameters, as `Design` orders them.
        side: log-odds that standing on the left adds; 0 if it was not modelled.
        tie: ν, the weight of a tie between equals against a win; 0 if ties are half-wins.
    """

    tally: Tally
    design: Design
    theta: Floats
    beta: Floats
    side: float
    tie: float

    @property
    def elo(self) -> Floats:
        """Strengths on the scale that players know, `(n,)`: 1000 on average, 400 for odds of ten to one."""
        return elo(self.theta)

    def win_probability(self) -> Floats:
        """That the row's contestant beats the column's, if one of them wins, side apart, `(n, n)`."""
        return 1 / (1 + np.exp(-(self.theta[:, None] - self.theta[None, :])))


def elo(theta: Floats) -> Floats:
    """1000 + 400·θ / ln 10."""
    return 1000 + 400 * theta / np.log(10)


def build_design(tally: Tally, *, ties: Ties, prior_games: float, side: bool) -> Design:
    """The model's features for a tally.

    P(left) ∝ exp(θ_l + γ/2), P(right) ∝ exp(θ_r − γ/2), P(tie) ∝ ν·exp((θ_l + θ_r)/2): Davidson 1970, eq. 2.4, with the
    order effect of Davidson and Beaver 1977, here shared between the sides so that γ = 0 is fair. Each contestant also
    has `prior_games` virtual games, half of them won, against an opponent of strength zero; the side likewise.
    """
    n, pairs = len(tally.contestants), len(tally.pairs)
    with_ties = ties == "davidson" and bool(tally.totals()[:, 2].sum() > 0)
    side_index = n if side else None
    tie_index = n + side if with_ties else None
    virtual = n + side
    features = np.zeros((pairs + virtual, 3, n + side + with_ties))
    offsets = np.full((pairs + virtual, 3), [0.0, 0.0, -np.inf])
    prior = np.zeros((pairs + virtual, 3))
    rows, (left, right) = np.arange(pairs), tally.pairs.T
    features[rows, 0, left] = features[rows, 1, right] = 1
    features[rows, 2, left] = features[rows, 2, right] = 0.5
    if side_index is not None:
        features[:pairs, 0, side_index], features[:pairs, 1, side_index] = 0.5, -0.5
    if tie_index is not None:
        features[:pairs, 2, tie_index], offsets[:pairs, 2] = 1, 0
    features[pairs + np.arange(virtual), 0, np.arange(virtual)] = 1
    prior[pairs:, :2] = prior_games / 2
    return Design(features, offsets, prior, n, side_index, tie_index, with_ties)


def fit(tally: Tally, *, ties: Ties = "davidson", prior_games: float = PRIOR_GAMES, side: bool = True) -> Fit:
    """The most likely strengths.

    Args:
        tally: the votes.
        ties: modelled (Davidson 1970), or counted as half a win for each (then this is Bradley and Terry 1952).
        prior_games: virtual games of each contestant, so that a perfect record stays finite; 0 is none.
        side: whether standing on the left may matter.

    Raises:
        ValueError: there are no votes, or they do not connect the contestants; the message names the groups.
        ArithmeticError: there is no finite maximum, which only happens without a prior.
    """
    groups = tally.components()
    if len(groups) != 1:
        named = "; ".join(", ".join(group) for group in groups)
        raise ValueError(
            f"no votes connect these groups, so they cannot be compared: {named}" if groups else "there are no votes"
        )
    design = build_design(tally, ties=ties, prior_games=prior_games, side=side)
    beta = design.solve(tally.totals())
    theta = beta[: design.contestants]
    return Fit(
        tally=tally,
        design=design,
        theta=theta - theta.mean(),
        beta=beta,
        side=0.0 if design.side is None else float(beta[design.side]),
        tie=0.0 if design.tie is None else float(np.exp(beta[design.tie])),
    )
