"""Influence of one voter: equal to leaving out each in turn, and linear in votes."""

from __future__ import annotations

import time
from typing import Literal

import numpy as np
import pytest

from hypersd.arena.ranking.confidence import ranks
from hypersd.arena.ranking.counts import OUTCOMES, PairCounts, PairwiseVote
from hypersd.arena.ranking.davidson import DavidsonFit, fit
from hypersd.arena.ranking.influence import leave_one_out


def random_tally(rng: np.random.Generator, voters: int, votes: int, n: int) -> PairCounts:
    """Votes on close contestants; some voters vote much more often than others."""
    others = rng.choice(voters, votes - voters, p=rng.dirichlet(np.full(voters, 0.5)))
    voter = np.concatenate([np.arange(voters), others])
    left = rng.integers(0, n, votes)
    right = (left + rng.integers(1, n, votes)) % n
    return PairCounts.from_arrays(
        contestants=[f"m{index}" for index in range(n)],
        voters=[f"v{index:05}" for index in range(voters)],
        voter=voter,
        sides=np.stack([left, right], axis=1),
        outcome=rng.choice(3, votes, p=[0.5, 0.3, 0.2]),
    )


def without(pair_counts: PairCounts, voter: int) -> np.ndarray:
    """Votes of all others, `(P, 3)`."""
    total = pair_counts.totals()
    for row in np.flatnonzero(pair_counts.voter == voter):
        total[pair_counts.pair[row]] -= pair_counts.counts[row]
    return total


def test_the_largest_change_equals_that_of_leaving_out_each_in_turn() -> None:
    rng, shifts = np.random.default_rng(0), set()
    for _ in range(40):
        n = int(rng.integers(2, 6))
        voters = int(rng.choice([2, 5, 20, 60]))
        davidson_fit = fit(random_tally(rng, voters, voters * int(rng.choice([2, 10])) + 30, n))
        influence = leave_one_out(davidson_fit)
        others = np.stack(
            [without(davidson_fit.pair_counts, voter) for voter in range(len(davidson_fit.pair_counts.voters))]
        )
        refitted = davidson_fit.design.solve(others, np.tile(davidson_fit.beta, (len(others), 1)))[:, :n]
        moved = np.abs(ranks(refitted) - ranks(davidson_fit.theta))
        assert influence.shift == moved.max()
        if influence.shift:
            number, what = (
                davidson_fit.pair_counts.voters.index(influence.voter),
                davidson_fit.pair_counts.contestants.index(influence.contestant),
            )
            assert moved[number, what] == influence.shift
        shifts.add(influence.shift)
    assert {0, 1, 2} <= shifts, "otherwise this test shows nothing"


def test_time_is_linear_in_votes_for_twenty_thousand_voters() -> None:
    rng = np.random.default_rng(1)
    few, many = (fit(random_tally(rng, voters, 5 * voters, 24)) for voters in (2_000, 20_000))
    seconds = []
    for davidson_fit in (few, many):
        start = time.process_time()
        leave_one_out(davidson_fit)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 60 * max(seconds[0], 0.05), "ten times the voters"


def test_many_voters_of_one_vote_each_are_left_out_once_for_each_kind_of_vote() -> None:
    votes = [PairwiseVote(f"v{index}", "abc"[index % 3], "bca"[index % 3], "tie") for index in range(6_000)]
    assert leave_one_out(fit(PairCounts.of(votes))).shift == 0


def test_one_voter_who_decides_is_found() -> None:
    votes = [PairwiseVote(f"v{index}", "a", "b", "left" if index % 2 else "right") for index in range(1, 24)]
    votes += [PairwiseVote("whale", "b", "a", "left")] * 5
    influence = leave_one_out(fit(PairCounts.of(votes), side=False))
    assert (influence.shift, influence.voter) == (1, "whale")
    clear = [PairwiseVote(f"v{index}", "a", "b", "left") for index in range(20)]
    assert leave_one_out(fit(PairCounts.of(clear))).shift == 0


@pytest.mark.parametrize("outcomes", [("tie", "left"), ("left", "tie")], ids=["all ties", "all that are none"])
def test_one_voter_may_give_all_of_an_outcome(
    outcomes: tuple[Literal["tie", "left"], Literal["tie", "left"]],
) -> None:
    value, others = outcomes
    votes = [PairwiseVote("one", "a", "b", value), PairwiseVote("one", "b", "c", value)]
    votes += [
        PairwiseVote(f"v{index}", left, right, others) for index in range(3) for left, right in ("ab", "bc", "ca")
    ]
    influence = leave_one_out(fit(PairCounts.of(votes)))
    assert influence.shift in {0, 1, 2}


def test_a_single_voter_is_an_error() -> None:
    alone: DavidsonFit = fit(PairCounts.of([PairwiseVote("v", "a", "b", outcome) for outcome in OUTCOMES]))
    with pytest.raises(ValueError, match="two voters"):
        leave_one_out(alone)
