"""Intervals: they hold what they promise, and they know that one person's votes resemble each other."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from hypersd.arena.influence import leave_one_out
from hypersd.arena.strength import Fit, fit
from hypersd.arena.tally import Judgement, Tally
from hypersd.arena.uncertainty import bootstrap, clustered, ranks

STRENGTHS = np.array([0.6, 0.2, 0.0, -0.3, -0.5])
TASTE = 0.7
SIDE = 0.15


def study(rng: np.random.Generator, voters: int, each: int) -> Tally:
    """Voters with tastes of their own (each sees its own strengths), a liking for the left, and ties."""
    n = len(STRENGTHS)
    voter = np.repeat(np.arange(voters), each)
    tastes = STRENGTHS + TASTE * rng.standard_normal((voters, n))
    left = rng.integers(0, n, len(voter))
    right = (left + rng.integers(1, n, len(voter))) % n
    gap = tastes[voter, left] - tastes[voter, right] + SIDE
    weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(len(gap), 0.5)], axis=1)
    outcome = (rng.random(len(gap))[:, None] * weights.sum(1, keepdims=True) > weights.cumsum(1)).sum(1)
    return Tally.from_arrays(
        contestants=[f"m{index}" for index in range(n)],
        voters=[f"v{index}" for index in range(voters)],
        voter=voter,
        sides=np.stack([left, right], axis=1),
        outcome=outcome,
    )


@pytest.fixture(scope="module")
def truth() -> Fit:
    """What infinitely many such voters would say: the strengths that the model finds among very many."""
    return fit(study(np.random.default_rng(99), 40_000, 40))


@pytest.fixture(scope="module")
def one() -> Fit:
    return fit(study(np.random.default_rng(3), 80, 25))


def test_intervals_cover_the_truth_as_often_as_they_say(truth: Fit) -> None:
    rng = np.random.default_rng(1)
    covered, blind, sides = [], [], []
    for _ in range(500):
        found = fit(study(rng, 80, 25))
        honest, naive = clustered(found), clustered(found, by_voter=False)
        covered.append((honest.low <= truth.theta) & (truth.theta <= honest.high))
        blind.append((naive.low <= truth.theta) & (truth.theta <= naive.high))
        sides.append(honest.side[0] <= truth.side <= honest.side[1])
    assert 0.93 <= np.mean(covered) <= 0.97
    assert 0.93 <= np.mean(sides) <= 0.97
    assert np.mean(blind) < 0.88, "taking every vote for independent promises too much"


def test_the_bootstrap_agrees_with_the_sandwich(one: Fit) -> None:
    drawn, computed = bootstrap(one, rounds=600), clustered(one)
    assert np.sqrt(np.diag(drawn.covariance)) == pytest.approx(np.sqrt(np.diag(computed.covariance)), rel=0.15)
    assert drawn.low == pytest.approx(computed.low, abs=0.08)
    assert drawn.rank_low == pytest.approx(computed.rank_low, abs=1)
    assert drawn.side == pytest.approx(computed.side, abs=0.08)


def test_four_times_the_voters_halve_the_intervals() -> None:
    few, many = (clustered(fit(study(np.random.default_rng(5), voters, 25))) for voters in (100, 400))
    ratio = (few.high - few.low) / (many.high - many.low)
    assert ratio == pytest.approx(np.full(5, 2.0), rel=0.2)


def test_more_votes_of_the_same_people_do_not_halve_them() -> None:
    rng = np.random.default_rng(5)
    few, many = clustered(fit(study(rng, 200, 40))), clustered(fit(study(rng, 200, 160)))
    assert np.mean((few.high - few.low) / (many.high - many.low)) < 1.6


def test_ranks_lie_in_their_intervals(one: Fit) -> None:
    found = clustered(one)
    places = ranks(one.theta)
    assert (found.rank_low <= places).all()
    assert (places <= found.rank_high).all()
    assert (found.rank_low <= found.sure_rank).all()
    assert (found.sure_rank <= places).all()
    assert found.rank_low.min() == 1


def test_one_voter_who_decides_is_found() -> None:
    made = [Judgement(f"v{index}", "a", "b", "left" if index % 2 else "right") for index in range(1, 24)]
    made += [Judgement("whale", "b", "a", "left")] * 5
    found = leave_one_out(fit(Tally.of(made), side=False))
    assert (found.shift, found.voter) == (1, "whale")
    clear = [Judgement(f"v{index}", "a", "b", "left") for index in range(20)]
    assert leave_one_out(fit(Tally.of(clear))).shift == 0


@pytest.mark.parametrize("outcomes", [("tie", "left"), ("left", "tie")], ids=["all ties", "all that are none"])
def test_one_voter_may_say_all_of_a_kind(outcomes: tuple[Literal["tie", "left"], Literal["tie", "left"]]) -> None:
    one, others = outcomes
    made = [Judgement("one", "a", "b", one), Judgement("one", "b", "c", one)]
    made += [Judgement(f"v{index}", left, right, others) for index in range(3) for left, right in ("ab", "bc", "ca")]
    found = leave_one_out(fit(Tally.of(made)))
    assert found.shift in {0, 1, 2}


def test_one_voter_alone_says_nothing_about_others() -> None:
    alone = fit(Tally.of([Judgement("v", "a", "b", "left"), Judgement("v", "a", "b", "right")]))
    for method in (clustered, bootstrap, leave_one_out):
        with pytest.raises(ValueError, match="two voters"):
            method(alone)
