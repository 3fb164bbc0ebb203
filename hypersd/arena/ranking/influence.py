"""Influence of single voters: leave each out in turn, without a full refit for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

from hypersd.arena.ranking.confidence import SAME, ranks, several
from hypersd.arena.ranking.counts import Float64Array, Int64Array, PairCounts
from hypersd.arena.ranking.davidson import DavidsonFit
from hypersd.arena.ranking.jackknife import leave_one_out_steps
from hypersd.arena.ranking.profile_likelihood import Profile

_REFITS = 16
"""Voters per batch."""


@dataclass(frozen=True, slots=True)
class Influence:
    """Largest effect of leaving out a single voter: it shows whether a few votes decide the first rank.

    Args:
        shift: the largest change of a contestant's rank.
        voter: the voter left out; empty if no voter changes a rank.
        contestant: the contestant whose rank changes.
    """

    shift: int
    voter: str
    contestant: str


def leave_one_out(fit: DavidsonFit) -> Influence:
    """The largest change of a rank when one voter's votes are left out.

    A bound on the effect of each voter is computed first. Refits are done only for voters whose bound allows a change
    of rank, largest bound first, until no other bound is larger. The result is exact, and its time linear in votes.

    Raises:
        ValueError: there are fewer than two voters.
    """
    several(fit)
    voters, bounds = _suspects(fit)
    order = np.argsort(-bounds, kind="stable")
    before, most = ranks(fit.theta), Influence(0, "", "")
    seen: set[bytes] = set()
    for start in range(0, len(order), _REFITS):
        some = order[start : start + _REFITS]
        if bounds[some[0]] <= most.shift:
            break
        some = voters[[row for row in some if not _known(fit.pair_counts, int(voters[row]), seen)]]
        moved = np.abs(ranks(_refitted(fit, some)) - before)
        if moved.max(initial=0) > most.shift:
            row, contestant = np.unravel_index(int(moved.argmax()), moved.shape)
            shift = int(moved[row, contestant])
            most = Influence(shift, fit.pair_counts.voters[some[row]], fit.pair_counts.contestants[contestant])
    return most


def _known(pair_counts: PairCounts, voter: int, seen: set[bytes]) -> bool:
    """True if a voter with exactly the same votes was seen before; otherwise adds this voter to `seen`."""
    begin, end = np.searchsorted(pair_counts.voter, (voter, voter + 1))
    votes = pair_counts.pair[begin:end].tobytes() + pair_counts.counts[begin:end].tobytes()
    known = votes in seen
    seen.add(votes)
    return known


def _refitted(fit: DavidsonFit, voters: Int64Array) -> Float64Array:
    """Strengths without each of these voters, `(m, n)`."""
    pair_counts, start = fit.pair_counts, np.tile(fit.beta, (len(voters), 1))
    without = np.tile(pair_counts.totals(), (len(voters), 1, 1))
    for place, voter in enumerate(voters):
        begin, end = np.searchsorted(pair_counts.voter, (voter, voter + 1))
        without[place, pair_counts.pair[begin:end]] -= pair_counts.counts[begin:end]
    return fit.design.solve(np.maximum(without, 0), start)[:, : fit.design.contestants]


def _suspects(fit: DavidsonFit) -> tuple[Int64Array, Int64Array]:
    """Voters whose removal may change a rank, and the bound of that change, `(m,)` each.

    Let s be a voter's score, H_v the information without the voter, and d the largest change of a log-odds. The
    information between the two fits is within factors e^−d and e^d of H_v (generalized self-concordance: Bach 2010,
    proposition 1), so a difference cᵀβ changes by cᵀH_v⁻¹s ± (e^d − 1)·|c|·|s| in the norm of H_v⁻¹. Where the step
    used H⁻¹ instead of H_v⁻¹, the error grows by the leverage times as much.
    """
    covariance, n = Profile.of(fit).covariance, fit.design.contestants
    order = np.argsort(-fit.theta, kind="stable")
    theta = fit.theta[order]
    spread = np.diag(covariance)[order][:, None] + np.diag(covariance)[order] - 2 * covariance[np.ix_(order, order)]
    widest = np.sqrt(_log_odds_variance(fit, covariance))
    voters: list[Int64Array] = []
    bounds: list[Int64Array] = []
    for steps in leave_one_out_steps(fit, covariance):
        left = np.maximum(1 - steps.leverages, 1e-9)  # lower bound of H_v relative to H
        size = np.sqrt(np.maximum(0, np.einsum("vp,vp->v", steps.scores @ covariance, steps.scores)))
        change = _largest_change(widest * size / left)
        slack = np.minimum((np.expm1(change) + steps.leverages) * size / left, 1e300)
        moves = steps.changes[:, :n][:, order]
        near = theta[:-1] - theta[1:] - (moves[:, :-1] - moves[:, 1:])
        reach = slack[:, None] * np.sqrt(np.diagonal(spread, 1))
        suspects = np.flatnonzero(~_same_order(theta[:-1] - theta[1:], near, reach).all(axis=1))
        for some in np.array_split(suspects, 1 + len(suspects) // _REFITS):
            gaps = theta[:, None] - theta - (moves[some][:, :, None] - moves[some][:, None, :])
            kept = _same_order(theta[:, None] - theta, gaps, slack[some, None, None] * np.sqrt(spread))
            voters.append(steps.first + some)
            bounds.append((~kept).sum(axis=2).max(axis=1, initial=0))
    return np.concatenate([np.zeros(0, np.int64), *voters]), np.concatenate([np.zeros(0, np.int64), *bounds])


def _log_odds_variance(fit: DavidsonFit, covariance: Float64Array) -> float:
    """The largest variance of a comparison's log-odds between two outcomes."""
    features, slots = fit.design.features, fit.design.slots
    odds = features - np.roll(features, 1, axis=1)
    local = np.pad(covariance, (0, 1))[slots[:, :, None], slots[:, None, :]]
    return float(np.einsum("kof,kfg,kog->ko", odds, local, odds, optimize=True).max())


def _largest_change(size: Float64Array) -> Float64Array:
    """The smallest d with d = size·e^d, an upper bound of the change of log-odds: −W(−size); ∞ if there is none."""
    bounded = size < 1 / np.e
    return np.where(bounded, -np.real(lambertw(-np.where(bounded, size, 0))), np.inf)


def _same_order(before: Float64Array, after: Float64Array, reach: Float64Array) -> NDArray[np.bool_]:
    """True for differences whose sign stays the same for every value within `reach` of `after`."""
    more, less = (before > SAME) & (after - reach > SAME), (before < -SAME) & (after + reach < -SAME)
    return more | less | ((np.abs(before) <= SAME) & (np.abs(after) + reach <= SAME))
