"""Jackknife over voters: one Newton step for each, in time linear in the votes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from hypersd.arena.ranking.counts import Float64Array, Int64Array, PairCounts
from hypersd.arena.ranking.davidson import DavidsonFit

_VOTERS = 8192
_HEAVY = 256
"""Batch size of voters whose own information matrix is subtracted and inverted."""

_LEVERAGE = 0.02
"""Leverage from which a voter's information matrix is subtracted: at most p / 0.02 voters reach it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Steps:
    """Effects on the parameters of leaving out each of m voters, by one step of Newton's method.

    Args:
        first: index of the first of these consecutive voters.
        scores: each voter's contribution to the gradient, `(m, p)`.
        changes: the fit's parameters minus those without the voter, `(m, p)`.
        leverages: each voter's share of the information, tr(H⁻¹ H_v), `(m,)`; at most p over all voters.
    """

    first: int
    scores: Float64Array
    changes: Float64Array
    leverages: Float64Array


def leave_one_out_steps(fit: DavidsonFit, covariance: Float64Array) -> Iterator[Steps]:
    """(H − H_v)⁻¹ s_v for every voter v, some thousands at a time: the one-step jackknife.

    For voters with a small share of the information H it is H⁻¹ s_v (Cook and Weisberg 1982, 5.4).

    Args:
        fit: the strengths.
        covariance: H⁻¹ at the fit, `(p, p)`.
    """
    pair_counts, design = fit.pair_counts, fit.design
    pairs, wide = len(pair_counts.pairs), design.parameters + 1
    slots, features = design.slots[:pairs], design.features[:pairs]
    shares, per_game = design.probabilities(fit.beta)[:pairs], design.per_game(fit.beta)[:pairs]
    padded, information = np.pad(covariance, (0, 1)), np.linalg.inv(covariance)
    leverage = np.einsum("kfg,kfg->k", per_game, padded[slots[:, :, None], slots[:, None, :]])
    for first, voters, rows in _blocks(pair_counts):
        voter, pair, counts = (
            pair_counts.voter[rows] - first,
            pair_counts.pair[rows],
            design.games(pair_counts.counts[rows]),
        )
        games = counts.sum(axis=1)
        parts = np.einsum("ro,rof->rf", counts - games[:, None] * shares[pair], features[pair])
        places = voter[:, None] * wide + slots[pair]
        summed = np.bincount(places.ravel(), parts.ravel(), minlength=voters * wide).astype(np.float64)
        scores = summed.reshape(voters, wide)[:, :-1]
        leverages = np.bincount(voter, games * leverage[pair], minlength=voters).astype(np.float64)
        changes = scores @ covariance
        heavy = np.flatnonzero(leverages > _LEVERAGE)
        for some in np.split(heavy, np.arange(_HEAVY, len(heavy), _HEAVY)):
            mine = np.isin(voter, some)
            place = np.searchsorted(some, voter[mine])
            own = _information(
                place, len(some), slots[pair[mine]], games[mine, None, None] * per_game[pair[mine]], wide
            )
            changes[some] = np.linalg.solve(information - own, scores[some][..., None])[..., 0]
        yield Steps(first=first, scores=scores, changes=changes, leverages=leverages)


def effective_voters(fit: DavidsonFit, covariance: Float64Array, contrasts: Float64Array) -> Float64Array:
    """Effective number of voters of each contrast `(b, p)`, `(b,)`: (Σ_v w_v)² / Σ_v w_v² (Kish 1965).

    w_v is the part cᵀH⁻¹ H_v H⁻¹c of the contrast's variance due to voter v. The number is 1 if all votes that inform
    the contrast are one person's.
    """
    pair_counts, design = fit.pair_counts, fit.design
    pairs = len(pair_counts.pairs)
    along = np.pad(contrasts @ covariance, ((0, 0), (0, 1))).T[design.slots[:pairs]]
    per_game = design.per_game(fit.beta)[:pairs]
    parts = np.einsum("kfg,kfb,kgb->kb", per_game, along, along, optimize=True)
    total, squares = np.zeros(len(contrasts)), np.zeros(len(contrasts))
    for first, voters, rows in _blocks(pair_counts):
        games = design.games(pair_counts.counts[rows]).sum(axis=1)
        matrix = csr_array((games, (pair_counts.voter[rows] - first, pair_counts.pair[rows])), shape=(voters, pairs))
        weights = np.asarray(matrix @ parts)
        total += weights.sum(axis=0)
        squares += np.square(weights).sum(axis=0)
    return np.divide(total**2, squares, out=np.ones_like(total), where=squares > 0)


def _blocks(pair_counts: PairCounts) -> Iterator[tuple[int, int, slice]]:
    """Batches of voters: index of the first, number of voters, and the slice of their rows."""
    for first in range(0, len(pair_counts.voters), _VOTERS):
        voters = min(_VOTERS, len(pair_counts.voters) - first)
        begin, end = np.searchsorted(pair_counts.voter, (first, first + voters))
        yield first, voters, slice(int(begin), int(end))


def _information(voter: Int64Array, voters: int, slots: Int64Array, blocks: Float64Array, wide: int) -> Float64Array:
    """Information matrix of each voter, `(m, p, p)`, from each row's block on its four parameters."""
    places = (voter[:, None, None] * wide + slots[:, :, None]) * wide + slots[:, None, :]
    summed = np.bincount(places.ravel(), blocks.ravel(), minlength=voters * wide * wide).astype(np.float64)
    return summed.reshape(voters, wide, wide)[:, :-1, :-1]
