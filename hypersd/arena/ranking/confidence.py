"""Confidence intervals of a ranking when votes of one person are correlated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import norm, t

from hypersd.arena.ranking.counts import Float64Array, Int64Array
from hypersd.arena.ranking.davidson import DavidsonFit
from hypersd.arena.ranking.jackknife import effective_voters, leave_one_out_steps
from hypersd.arena.ranking.profile_likelihood import Profile
from hypersd.utils.estimates import LEVEL

_ROUNDS = 16
"""Resamples that the bootstrap draws at a time."""

SAME = 1e-9
"""Strengths that differ by less are equal."""

_CLEAR = 1.5
"""A quadratic deviance above this multiple of the limit is taken as above the limit without a search."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Uncertainty:
    """Uncertainty of the strengths of a fit.

    Args:
        covariance: of θ, of mean zero, `(n, n)`.
        low, high: the interval of each θ, `(n,)`.
        rank_low, rank_high: the interval of each contestant's rank; 1 is the best, `(n,)`.
        sure_rank: 1 + the number of contestants that are significantly better (Chiang et al. 2024), `(n,)`.
        side: the interval of the side's log-odds.
    """

    covariance: Float64Array
    low: Float64Array
    high: Float64Array
    rank_low: Int64Array
    rank_high: Int64Array
    sure_rank: Int64Array
    side: tuple[float, float]


def clustered(fit: DavidsonFit, level: float = LEVEL, *, by_voter: bool = True) -> Uncertainty:
    """Intervals from the profile likelihood, widened by the correlation of each voter's votes.

    An interval ends where the deviance reaches χ²₁'s quantile, or t²·(variance between voters / variance of independent
    votes) if that is larger (Rotnitzky and Jewell 1990); so it is never narrower than for independent votes, even if
    voters agree by chance. The variance between voters is the jackknife's (CV3 of MacKinnon, Nielsen and Webb 2023),
    and t has one degree of freedom less than the number of effective voters. The ranks of a contestant are those that
    its differences from all others allow jointly (Mogstad, Romano, Shaikh and Wilhelm 2024, with Bonferroni's bound).

    Args:
        fit: the strengths, with a prior if a record may be perfect.
        level: of the intervals.
        by_voter: false treats all votes as independent: for a single voter, or for comparison.

    Raises:
        ValueError: there are fewer than two voters, and intervals are to be clustered.
    """
    n, p = fit.design.contestants, fit.design.parameters
    profile = Profile.of(fit)
    center = np.eye(n, p) - np.pad(np.full((n, n), 1 / n), ((0, 0), (0, p - n)))
    sides = np.eye(p)[[fit.design.side]] if fit.design.side is not None else np.zeros((0, p))
    contrasts = np.concatenate([center, sides])
    spread = _Spread.of(fit, profile, contrasts) if by_voter else _Spread.none(profile, contrasts)
    low, high = profile.ends(contrasts, spread.limits(contrasts, spread.freedom, level))
    rank_low, rank_high, sure = _ranks_of(profile, spread, level)
    return Uncertainty(
        covariance=center @ spread.wider() @ center.T,
        low=low[:n],
        high=high[:n],
        rank_low=rank_low,
        rank_high=rank_high,
        sure_rank=sure,
        side=(float(low[n]), float(high[n])) if len(sides) else (0.0, 0.0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Spread:
    """Covariances of the parameters `(p, p)`, for independent votes and between voters, with degrees of freedom."""

    model: Float64Array
    between: Float64Array
    freedom: Float64Array

    @classmethod
    def of(cls, fit: DavidsonFit, profile: Profile, contrasts: Float64Array) -> _Spread:
        voters = len(fit.pair_counts.voters)
        several(fit)
        between = np.zeros_like(profile.covariance)
        for steps in leave_one_out_steps(fit, profile.covariance):
            between += steps.changes.T @ steps.changes
        freedom = np.maximum(1, effective_voters(fit, profile.covariance, contrasts) - 1)
        return cls(profile.covariance, between * (voters - 1) / voters, freedom)

    @classmethod
    def none(cls, profile: Profile, contrasts: Float64Array) -> _Spread:
        return cls(profile.covariance, np.zeros_like(profile.covariance), np.full(len(contrasts), np.inf))

    def limits(self, contrasts: Float64Array, freedom: Float64Array, level: float) -> Float64Array:
        """Upper limit for the deviance of each contrast."""
        model, between = (np.einsum("bp,pq,bq->b", contrasts, one, contrasts) for one in (self.model, self.between))
        return np.maximum(norm.ppf(0.5 + level / 2) ** 2, t.ppf(0.5 + level / 2, freedom) ** 2 * between / model)

    def wider(self) -> Float64Array:
        """A covariance that is at least as large as either in every direction."""
        root = np.linalg.cholesky(self.model)
        whitened = np.linalg.solve(root, np.linalg.solve(root, self.between).T)
        values, vectors = np.linalg.eigh((whitened + whitened.T) / 2)
        turned = root @ vectors
        return (turned * np.maximum(1, values)) @ turned.T


def _ranks_of(profile: Profile, spread: _Spread, level: float) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Lowest, highest and sure ranks of all contestants, from tests of equality of each pair."""
    n = profile.fit.design.contestants
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    contrasts = _differences(pairs, profile.fit.design.parameters)
    freedom = spread.freedom[pairs].min(axis=1)
    limits = [spread.limits(contrasts, freedom, 1 - (1 - level) / tests) for tests in (max(1, n - 1), 1)]
    gaps, equal = contrasts @ profile.fit.beta, np.zeros(len(pairs))
    parabola, highest = profile.bounds(contrasts, equal)
    deviances = np.minimum(parabola, highest)
    unclear = np.any([(highest > limit) & (deviances < _CLEAR * limit) for limit in limits], axis=0)
    deviances[unclear] = profile.deviances(contrasts[unclear], equal[unclear])
    together, alone = (_better(pairs, np.where(deviances > limit, gaps, 0), n) for limit in limits)
    return 1 + together.sum(axis=0), n - together.sum(axis=1), 1 + alone.sum(axis=0)


def _better(pairs: Int64Array, gaps: Float64Array, n: int) -> Int64Array:
    """1 where the row's contestant is better than the column's, `(n, n)`, from the differences of pairs."""
    matrix = np.zeros((n, n), dtype=np.int64)
    matrix[pairs[:, 0], pairs[:, 1]] = gaps > 0
    matrix[pairs[:, 1], pairs[:, 0]] = gaps < 0
    return matrix


def _differences(pairs: Int64Array, parameters: int) -> Float64Array:
    unit = np.eye(parameters)
    return unit[pairs[:, 0]] - unit[pairs[:, 1]]


def difference_intervals(
    fit: DavidsonFit, pairs: Int64Array, level: float = LEVEL
) -> tuple[Float64Array, Float64Array]:
    """Lowest and highest θ_first − θ_second of pairs of contestants `(b, 2)`, `(b,)` each, as in `clustered`.

    Raises:
        ValueError: there are fewer than two voters.
    """
    profile, contrasts = Profile.of(fit), _differences(pairs, fit.design.parameters)
    spread = _Spread.of(fit, profile, contrasts)
    return profile.ends(contrasts, spread.limits(contrasts, spread.freedom, level))


def bootstrap(fit: DavidsonFit, rounds: int = 400, level: float = LEVEL, seed: int = 0) -> Uncertainty:
    """Intervals from refits to voters drawn with replacement (the cluster bootstrap; Davison and Hinkley 1997, 3.8).

    Raises:
        ValueError: there are fewer than two voters.
    """
    several(fit)
    rng, pair_counts = np.random.default_rng(seed), fit.pair_counts
    voters, pairs = len(pair_counts.voters), len(pair_counts.pairs)
    places = (np.repeat(pair_counts.voter, 3), (pair_counts.pair[:, None] * 3 + np.arange(3)).ravel())
    votes = csr_array((pair_counts.counts.ravel(), places), shape=(voters, 3 * pairs))
    parts: list[Float64Array] = []
    for drawn in range(0, rounds, _ROUNDS):
        weights = rng.multinomial(voters, np.full(voters, 1 / voters), size=min(_ROUNDS, rounds - drawn))
        resampled = np.asarray(weights.astype(float) @ votes).reshape(-1, pairs, 3)
        parts.append(fit.design.solve(resampled, np.tile(fit.beta, (len(weights), 1))))
    beta = np.concatenate(parts)
    draws = beta[:, : fit.design.contestants]
    draws = draws - draws.mean(axis=1, keepdims=True)
    tail = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(draws, tail, axis=0)
    best, worst = np.quantile(ranks(draws), tail, axis=0, method="nearest").astype(np.int64)
    side = fit.design.side
    side_low, side_high = np.quantile(beta[:, side], tail) if side is not None else (0.0, 0.0)
    return Uncertainty(
        covariance=np.cov(draws.T),
        low=low,
        high=high,
        rank_low=best,
        rank_high=worst,
        sure_rank=best,
        side=(float(side_low), float(side_high)),
    )


def ranks(theta: Float64Array) -> Int64Array:
    """1 + the number of contestants that are better by more than rounding errors, `(…, n)`; equals share a rank."""
    return 1 + (theta[..., None, :] > theta[..., :, None] + SAME).sum(axis=-1)


def several(fit: DavidsonFit) -> None:
    """Check that there are voters to compare.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(fit.pair_counts.voters) < 2:
        raise ValueError("intervals clustered by voter need votes of at least two voters")
