"""Strengths from votes: the Davidson model with ties and a side effect, fitted by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_array

from hypersd.arena.ranking.counts import Float64Array, Int64Array, PairCounts

Ties = Literal["davidson", "half"]
PRIOR_GAMES = 1.0
_ITERATIONS = 100
_LARGEST_STEP = 3.0
_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Design:
    """The log-linear model of K comparisons: outcome o of comparison k has weight exp(x_ko·β + c_ko).

    β holds n strengths θ, then (if asked for) the side's log-odds γ, then (if ties are modelled) log ν. A comparison
    depends on four of the p parameters at most: those of the left, of the right, of the side and of ties.

    Args:
        slots: indices of these four parameters, `(K, 4)`; p if a comparison lacks one.
        features: x of these four, `(K, 3, 4)`.
        offsets: c, `(K, 3)`; −∞ for an impossible outcome.
        prior: virtual counts of the last rows (for each contestant, for the side, for ties), `(K, 3)`.
        parameters: p.
        contestants: n.
        side: the index of γ, or None.
        tie: the index of log ν, or None.
        ties: whether ties are modelled.
    """

    slots: Int64Array
    features: Float64Array
    offsets: Float64Array
    prior: Float64Array
    parameters: int
    contestants: int
    side: int | None
    tie: int | None
    ties: bool
    _to_parameters: Any = field(init=False, repr=False)
    _to_squares: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        wide = self.parameters + 1
        squares = (self.slots[:, :, None] * wide + self.slots[:, None, :]).ravel()
        object.__setattr__(self, "_to_parameters", _scatter(self.slots.ravel(), wide))
        object.__setattr__(self, "_to_squares", _scatter(squares, wide * wide))

    def counts(self, votes: Float64Array) -> Float64Array:
        """Counts of all comparisons `(…, K, 3)`, including the prior's, from votes `(…, P, 3)`."""
        padded = np.zeros((*votes.shape[:-2], *self.prior.shape))
        padded[..., : votes.shape[-2], :] = self.games(votes)
        return padded + self.prior

    def games(self, votes: Float64Array) -> Float64Array:
        """Votes `(…, 3)`; if ties are not modelled, each tie becomes half a win for both."""
        if self.ties:
            return votes
        left, right, tie = np.moveaxis(votes, -1, 0)
        return np.stack([left + tie / 2, right + tie / 2, np.zeros_like(tie)], axis=-1)

    def logits(self, beta: Float64Array) -> Float64Array:
        """Logits of all outcomes, `(…, K, 3)`, for β `(…, p)`, less the largest of each comparison."""
        padded = np.concatenate([beta, np.zeros((*beta.shape[:-1], 1))], axis=-1)
        logits = np.einsum("kof,...kf->...ko", self.features, padded[..., self.slots]) + self.offsets
        return logits - logits.max(axis=-1, keepdims=True)

    def probabilities(self, beta: Float64Array) -> Float64Array:
        """Probabilities of all outcomes, `(…, K, 3)`, for β `(…, p)`."""
        weights = np.exp(self.logits(beta))
        return weights / weights.sum(axis=-1, keepdims=True)

    def log_likelihood(self, beta: Float64Array, counts: Float64Array) -> Float64Array:
        """Log-likelihood `(…)` of counts `(…, K, 3)`."""
        logits = self.logits(beta)
        logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        return (counts * np.where(counts > 0, logs, 0.0)).sum(axis=(-2, -1))

    def gradient(self, beta: Float64Array, counts: Float64Array) -> Float64Array:
        """Gradient of the log-likelihood, `(…, p)`."""
        surprise = counts - counts.sum(axis=-1, keepdims=True) * self.probabilities(beta)
        return self._gathered(np.einsum("...ko,kof->...kf", surprise, self.features), self._to_parameters)[..., :-1]

    def information(self, beta: Float64Array, counts: Float64Array) -> Float64Array:
        """The Fisher information, minus the log-likelihood's Hessian, `(…, p, p)`.

        Strengths are determined up to a constant; without a prior the constant is fixed at zero.
        """
        wide, games = self.parameters + 1, counts.sum(axis=-1)
        blocks = games[..., None, None] * self.per_game(beta)
        matrix = self._gathered(blocks.reshape(*blocks.shape[:-2], 16), self._to_squares)
        held = np.zeros(self.parameters)
        held[: self.contestants] = not self.prior.any()
        return matrix.reshape(*beta.shape[:-1], wide, wide)[..., :-1, :-1] + np.outer(held, held)

    def per_game(self, beta: Float64Array) -> Float64Array:
        """The information of one game of each comparison on its four parameters, `(…, K, 4, 4)`."""
        shares = self.probabilities(beta)
        mean = np.einsum("...ko,kof->...kf", shares, self.features)
        square = np.einsum("...ko,kof,kog->...kfg", shares, self.features, self.features, optimize=True)
        return square - mean[..., :, None] * mean[..., None, :]

    @staticmethod
    def _gathered(values: Float64Array, scatter: Any) -> Float64Array:
        """Values of each comparison `(…, K, f)`, summed by the parameters in `scatter`."""
        flat = values.reshape(-1, scatter.shape[0])
        return np.asarray(flat @ scatter).reshape(*values.shape[:-2], scatter.shape[1])

    def solve(self, votes: Float64Array, start: Float64Array | None = None) -> Float64Array:
        """Maximum-likelihood β `(…, p)` of votes `(…, P, 3)` by Newton's method, for many data sets at once.

        Raises:
            ArithmeticError: there is no finite maximum (a perfect record, or ties alone, without a prior).
        """
        counts = self.counts(votes)
        beta = np.zeros((*votes.shape[:-2], self.parameters)) if start is None else start
        for _ in range(_ITERATIONS):
            slope, curvature = self.gradient(beta, counts), self.information(beta, counts)
            try:
                step = np.linalg.solve(curvature, slope[..., None])[..., 0]
            except np.linalg.LinAlgError:
                break
            size = np.abs(step).max(axis=-1, keepdims=True)
            beta = beta + step * np.minimum(1, _LARGEST_STEP / np.maximum(size, 1e-300))
            if size.max(initial=0) < _TOLERANCE:
                return beta
        raise ArithmeticError("the likelihood has no finite maximum; use a prior of about one game")


def _scatter(places: Int64Array, size: int) -> Any:
    """A sparse matrix that sums values by their places, `(len(places), size)`."""
    rows = np.arange(len(places))
    return csr_array((np.ones(len(places)), (rows, places)), shape=(len(places), size))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DavidsonFit:
    """Fitted strengths with the model's settings.

    Args:
        theta: log-strengths with mean zero, in the order of the counts' contestants, `(n,)`.
        beta: all parameters, in the order of `Design`.
        side: log-odds added by standing on the left; 0 if not modelled.
        tie: ν, the weight of a tie relative to a win between equals; 0 if ties are half-wins.
    """

    pair_counts: PairCounts
    design: Design
    theta: Float64Array
    beta: Float64Array
    side: float
    tie: float

    @property
    def elo(self) -> Float64Array:
        """Strengths on the Elo scale, `(n,)`: 1000 on average, 400 for odds of ten to one."""
        return elo(self.theta)


def elo(theta: Float64Array) -> Float64Array:
    """1000 + 400·θ / ln 10."""
    return 1000 + 400 * theta / np.log(10)


def build_design(pair_counts: PairCounts, *, ties: Ties, prior_games: float, side: bool) -> Design:
    """Design of the model for pairwise counts.

    P(left) ∝ exp(θ_l + γ/2), P(right) ∝ exp(θ_r − γ/2), P(tie) ∝ ν·exp((θ_l + θ_r)/2): Davidson 1970, eq. 2.4, with the
    order effect of Davidson and Beaver 1977, here split between the sides so that γ = 0 is fair. The prior adds for
    each contestant, and for the side, `prior_games` virtual games against an opponent of strength zero, half of them
    won; and as many games between equals, half of them ties, so that ν stays finite if all votes are ties.
    """
    n, pairs = len(pair_counts.contestants), len(pair_counts.pairs)
    with_ties = ties == "davidson" and bool(pair_counts.totals()[:, 2].sum() > 0)
    side_index = n if side else None
    tie_index = n + side if with_ties else None
    parameters = n + side + with_ties
    slots = np.full((pairs + parameters, 4), parameters)
    features = np.zeros((pairs + parameters, 3, 4))
    offsets = np.full((pairs + parameters, 3), [0.0, 0.0, -np.inf])
    prior = np.zeros((pairs + parameters, 3))
    slots[:pairs, :2] = pair_counts.pairs
    features[:pairs] = [[1, 0, 0.5, 0], [0, 1, -0.5, 0], [0.5, 0.5, 0, 1]]
    if side_index is not None:
        slots[:pairs, 2] = side_index
    slots[pairs : pairs + n + side, 0] = np.arange(n + side)
    features[pairs : pairs + n + side, 0, 0] = 1
    prior[pairs:, :2] = prior_games / 2
    if tie_index is not None:
        slots[:pairs, 3] = slots[-1, 3] = tie_index
        features[-1, 2, 3] = 1
        offsets[:pairs, 2] = offsets[-1, 2] = 0
        prior[-1] = np.array([0.25, 0.25, 0.5]) * prior_games
    return Design(
        slots=slots,
        features=features,
        offsets=offsets,
        prior=prior,
        parameters=parameters,
        contestants=n,
        side=side_index,
        tie=tie_index,
        ties=with_ties,
    )


def fit(
    pair_counts: PairCounts, *, ties: Ties = "davidson", prior_games: float = PRIOR_GAMES, side: bool = True
) -> DavidsonFit:
    """Maximum-likelihood strengths.

    Args:
        pair_counts: the votes.
        ties: modelled (Davidson 1970), or counted as half a win for each (Bradley and Terry 1952).
        prior_games: virtual games of each contestant, so that a perfect record stays finite; 0 is none.
        side: whether to model an effect of standing on the left.

    Raises:
        ValueError: there are no votes, or they do not connect the contestants; the message names the groups.
        ArithmeticError: there is no finite maximum; this happens only without a prior.
    """
    groups = pair_counts.components()
    if len(groups) != 1:
        named = "; ".join(", ".join(group) for group in groups)
        raise ValueError(
            f"no votes connect these groups, so they cannot be compared: {named}" if groups else "there are no votes"
        )
    design = build_design(pair_counts, ties=ties, prior_games=prior_games, side=side)
    beta = design.solve(pair_counts.totals())
    theta = beta[: design.contestants]
    return DavidsonFit(
        pair_counts=pair_counts,
        design=design,
        theta=theta - theta.mean(),
        beta=beta,
        side=0.0 if design.side is None else float(beta[design.side]),
        tie=0.0 if design.tie is None else float(np.exp(beta[design.tie])),
    )
