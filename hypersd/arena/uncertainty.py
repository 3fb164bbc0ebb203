"""How sure a ranking is, when one person's votes resemble each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from hypersd.arena.strength import Fit
from hypersd.arena.tally import Floats, Ints

LEVEL = 0.95
_DRAWS = 4000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Uncertainty:
    """What is known of the strengths of a fit.

    Args:
        covariance: of θ, of mean zero, `(n, n)`.
        low, high: the interval of each θ, `(n,)`.
        rank_low, rank_high: between which ranks each contestant lies; 1 is the best, `(n,)`.
        side: the interval of the side's log-odds.
    """

    covariance: Floats
    low: Floats
    high: Floats
    rank_low: Ints
    rank_high: Ints
    side: tuple[float, float]

    def differences(self) -> Floats:
        """Standard error of θ_row − θ_column, `(n, n)`."""
        variance = np.diag(self.covariance)
        return np.sqrt(np.maximum(0, variance[:, None] + variance[None, :] - 2 * self.covariance))


def clustered(fit: Fit, level: float = LEVEL, *, by_voter: bool = True) -> Uncertainty:
    """Intervals from the sandwich covariance, clustered by voter.

    H⁻¹ (Σ_v s_v s_vᵀ) H⁻¹ · G/(G−1), with s_v the sum of all scores of voter v and H the information (Liang and Zeger
    1986; the factor as in Cameron and Miller 2015, eq. 12 without its second part). Votes of one person are not
    independent, and intervals that take them for it are too narrow.

    Args:
        fit: the strengths.
        level: of the intervals.
        by_voter: false takes every vote for independent; only to show what difference it makes.

    Raises:
        ValueError: there are fewer than two voters.
    """
    covariance = _sandwich(fit) if by_voter else _bread(fit)
    center = _centering(fit)
    theta = center @ covariance @ center.T
    reach = norm.ppf(0.5 + level / 2)
    spread = reach * np.sqrt(np.maximum(0, np.diag(theta)))
    index = fit.design.side
    side = reach * np.sqrt(max(0.0, covariance[index, index])) if index is not None else 0.0
    best, worst = _rank_interval(fit.theta, theta, level)
    return Uncertainty(
        covariance=theta,
        low=fit.theta - spread,
        high=fit.theta + spread,
        rank_low=best,
        rank_high=worst,
        side=(fit.side - side, fit.side + side),
    )


def bootstrap(fit: Fit, rounds: int = 400, level: float = LEVEL, seed: int = 0) -> Uncertainty:
    """Intervals from refits to voters drawn with replacement (the cluster bootstrap; Davison and Hinkley 1997, 3.8).

    Raises:
        ValueError: there are fewer than two voters.
    """
    _several(fit)
    rng = np.random.default_rng(seed)
    voters = len(fit.tally.voters)
    weights = rng.multinomial(voters, np.full(voters, 1 / voters), size=rounds)
    resampled = np.einsum("bv,vpo->bpo", weights.astype(float), fit.tally.by_voter(), optimize=True)
    start = np.tile(fit.beta, (rounds, 1))
    beta = fit.design.solve(resampled, start)
    draws = beta[:, : fit.design.contestants]
    draws = draws - draws.mean(axis=1, keepdims=True)
    tail = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(draws, tail, axis=0)
    ranks = _ranks(draws)
    best, worst = np.quantile(ranks, tail, axis=0, method="nearest").astype(np.int64)
    side = fit.design.side
    side_low, side_high = np.quantile(beta[:, side], tail) if side is not None else (0.0, 0.0)
    return Uncertainty(
        covariance=np.cov(draws.T),
        low=low,
        high=high,
        rank_low=best,
        rank_high=worst,
        side=(float(side_low), float(side_high)),
    )


@dataclass(frozen=True, slots=True)
class Influence:
    """What leaving out a single voter does at most: "two votes can flip the throne" is seen here.

    Args:
        shift: the largest change of a contestant's rank.
        voter: whose absence does it; empty if nobody's changes anything.
        contestant: whose rank it changes.
    """

    shift: int
    voter: str
    contestant: str


def leave_one_out(fit: Fit) -> Influence:
    """The largest change of a rank when one voter's votes are left out, by refitting without each.

    The weight of ties is not refitted: one voter may have said all of them, or everything else.

    Raises:
        ValueError: there are fewer than two voters.
    """
    _several(fit)
    without = fit.tally.totals() - fit.tally.by_voter()
    design = fit.design.holding_ties(fit.beta)
    start = fit.beta[: design.features.shape[-1]]
    beta = design.solve(without, np.tile(start, (len(fit.tally.voters), 1)))
    moved = np.abs(_ranks(beta[:, : fit.design.contestants]) - _ranks(fit.theta[None]))
    voter, contestant = np.unravel_index(int(moved.argmax()), moved.shape)
    if not moved[voter, contestant]:
        return Influence(0, "", "")
    return Influence(int(moved.max()), fit.tally.voters[voter], fit.tally.contestants[contestant])


def surely_better(fit: Fit, uncertainty: Uncertainty, level: float = LEVEL) -> Ints:
    """Ranks as 1 + the number of contestants that are better beyond doubt (Chiang et al. 2024), `(n,)`."""
    gap = fit.theta[:, None] - fit.theta[None, :]
    error = uncertainty.differences() + np.eye(len(fit.theta))
    return 1 + (gap / error > norm.ppf(0.5 + level / 2)).sum(axis=0)


def _several(fit: Fit) -> None:
    if len(fit.tally.voters) < 2:
        raise ValueError("how far voters differ can be said only from two voters on")


def _bread(fit: Fit) -> Any:
    counts = fit.design.counts(fit.tally.totals())
    return np.linalg.inv(fit.design.information(fit.beta, counts))


def _sandwich(fit: Fit) -> Floats:
    _several(fit)
    tally, pairs = fit.tally, len(fit.tally.pairs)
    counts = fit.design.games(tally.counts)
    shares, features = fit.design.probabilities(fit.beta)[:pairs], fit.design.features[:pairs]
    surprise = counts - counts.sum(axis=1, keepdims=True) * shares[tally.pair]
    scores = np.zeros((len(tally.voters), features.shape[-1]))
    np.add.at(scores, tally.voter, np.einsum("ro,rop->rp", surprise, features[tally.pair]))
    bread, voters = _bread(fit), len(tally.voters)
    return bread @ (scores.T @ scores) @ bread * voters / (voters - 1)


def _centering(fit: Fit) -> Floats:
    """What takes β to θ of mean zero, `(n, p)`."""
    n, p = fit.design.contestants, len(fit.beta)
    return np.eye(n, p) - np.pad(np.full((n, n), 1 / n), ((0, 0), (0, p - n)))


def _ranks(draws: Floats) -> Ints:
    return 1 + np.argsort(np.argsort(-draws, axis=-1, kind="stable"), axis=-1, kind="stable")


def _rank_interval(theta: Floats, covariance: Floats, level: float) -> tuple[Ints, Ints]:
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    noise = np.random.default_rng(0).standard_normal((_DRAWS, len(theta)))
    ranks = _ranks(theta + noise @ root.T)
    best, worst = np.quantile(ranks, [(1 - level) / 2, (1 + level) / 2], axis=0, method="nearest")
    return best.astype(np.int64), worst.astype(np.int64)
