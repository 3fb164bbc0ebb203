"""The anytime-valid test of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from hypersd.arena.ranking.counts import PairCounts, PairwiseVote
from hypersd.arena.ranking.significance import e_value, pair_tests


def test_the_evidence_is_the_ratio_of_the_two_likelihoods() -> None:
    """Against numerical integration over the win rate."""
    rates = np.linspace(0, 1, 200_001)[1:-1]
    density = rates**9 * (1 - rates) ** 9
    density /= np.trapezoid(density, rates)
    for wins, losses in ((0, 0), (7, 2), (30, 30), (60, 40)):
        likelihood = np.trapezoid(density * rates**wins * (1 - rates) ** losses, rates)
        expected = likelihood / 0.5 ** (wins + losses)
        assert e_value(np.array(wins), np.array(losses)) == pytest.approx(expected, rel=1e-6)


def test_looking_after_every_vote_raises_few_false_alarms() -> None:
    rng = np.random.default_rng(0)
    wins = (rng.random((2000, 1000)) < 0.5).cumsum(axis=1)
    losses = np.arange(1, 1001) - wins
    alarms = (e_value(wins, losses) >= 20).any(axis=1).mean()
    assert 0.005 < alarms <= 0.05


def test_a_clear_preference_is_settled_soon() -> None:
    rng = np.random.default_rng(0)
    wins = (rng.random((400, 2000)) < 0.6).cumsum(axis=1)
    enough = e_value(wins, np.arange(1, 2001) - wins) >= 20
    assert enough.any(axis=1).mean() > 0.99
    assert 120 < np.median(enough.argmax(axis=1)) < 280


def test_many_pairs_need_more_evidence_than_one() -> None:
    def pair(names: str, wins: int, losses: int) -> list[PairwiseVote]:
        left, right = names
        won = [PairwiseVote(f"v{index}", left, right, "left") for index in range(wins)]
        return won + [PairwiseVote(f"v{index}", right, left, "left") for index in range(losses)]

    lonely = pair_tests(PairCounts.of(pair("ab", 12, 27)))
    assert [(one.better, one.worse, one.settled) for one in lonely] == [("b", "a", False)]
    clear = pair_tests(PairCounts.of(pair("ab", 10, 90) + pair("ac", 52, 48) + pair("bc", 50, 50)))
    assert [one.settled for one in clear] == [True, False, False]
    assert (clear[0].better, clear[0].wins, clear[0].losses) == ("b", 90, 10)
    assert pair_tests(PairCounts.of([])) == []
