"""Votes as counts."""

from __future__ import annotations

import numpy as np
import pytest

from hypersd.arena.ranking.counts import PairCounts, PairwiseVote

VOTES = [
    PairwiseVote("ann", "b", "a", "left"),
    PairwiseVote("ann", "b", "a", "left"),
    PairwiseVote("ben", "a", "b", "right"),
    PairwiseVote("ben", "a", "c", "tie"),
]


def test_votes_are_counted_by_voter_pair_and_outcome() -> None:
    pair_counts = PairCounts.of(VOTES)
    assert pair_counts.contestants == ("a", "b", "c")
    assert pair_counts.votes == 4
    assert pair_counts.per_contestant() == pytest.approx([4, 3, 1])
    assert pair_counts.wins() == pytest.approx(np.array([[0, 0, 0], [3, 0, 0], [0, 0, 0]]))
    assert pair_counts.ties() == pytest.approx(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]]))
    assert pair_counts.totals().sum(axis=0) == pytest.approx([2, 1, 1])
    assert len(pair_counts.counts) == 3, "equal votes of one voter share a row"


def test_win_rates_count_ties_as_halves_and_are_nan_without_votes() -> None:
    rates = PairCounts.of(VOTES).win_rates()
    assert rates[1, 0] == 1
    assert rates[0, 2] == rates[2, 0] == 0.5
    assert np.isnan(rates[1, 2])


def test_no_voter_weighs_more_than_the_cap() -> None:
    votes = [PairwiseVote("ann", "a", "b", "left")] * 30 + [PairwiseVote("ben", "a", "b", "right")] * 2
    assert PairCounts.of(votes, weight_cap=10).totals() == pytest.approx(np.array([[10, 2, 0]]))
    with pytest.raises(ValueError, match="positive"):
        PairCounts.of(votes, weight_cap=0)


def test_groups_that_never_met_are_found() -> None:
    pair_counts = PairCounts.of([*VOTES, PairwiseVote("ann", "x", "y", "tie")])
    assert pair_counts.components() == [("a", "b", "c"), ("x", "y")]
    assert PairCounts.of([]).components() == []


def test_a_contestant_cannot_meet_itself() -> None:
    with pytest.raises(ValueError, match="meet itself"):
        PairCounts.of([PairwiseVote("ann", "a", "a", "left")])
