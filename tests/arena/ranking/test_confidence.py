"""Intervals: their coverage, and their width for correlated votes of one person."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage import WORLDS, coverage
from hypersd.arena.ranking.confidence import bootstrap, clustered, ranks
from hypersd.arena.ranking.counts import Outcome, PairCounts, PairwiseVote
from hypersd.arena.ranking.davidson import DavidsonFit, elo, fit
from hypersd.arena.ranking.profile_likelihood import Profile

STRENGTHS = np.array([0.6, 0.2, 0.0, -0.3, -0.5])
TASTE = 0.7
SIDE = 0.15


def study(rng: np.random.Generator, voters: int, each: int) -> PairCounts:
    """Votes of voters with individual strengths, a preference for the left, and ties."""
    n = len(STRENGTHS)
    voter = np.repeat(np.arange(voters), each)
    tastes = STRENGTHS + TASTE * rng.standard_normal((voters, n))
    left = rng.integers(0, n, len(voter))
    right = (left + rng.integers(1, n, len(voter))) % n
    gap = tastes[voter, left] - tastes[voter, right] + SIDE
    weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(len(gap), 0.5)], axis=1)
    outcome = (rng.random(len(gap))[:, None] * weights.sum(1, keepdims=True) > weights.cumsum(1)).sum(1)
    return PairCounts.from_arrays(
        contestants=[f"m{index}" for index in range(n)],
        voters=[f"v{index}" for index in range(voters)],
        voter=voter,
        sides=np.stack([left, right], axis=1),
        outcome=outcome,
    )


@pytest.fixture(scope="module")
def truth() -> DavidsonFit:
    """True strengths, estimated from very many such voters."""
    return fit(study(np.random.default_rng(99), 40_000, 40))


@pytest.fixture(scope="module")
def davidson_fit() -> DavidsonFit:
    return fit(study(np.random.default_rng(3), 80, 25))


def test_intervals_of_independent_votes_are_too_narrow(truth: DavidsonFit) -> None:
    rng = np.random.default_rng(1)
    blind = []
    for _ in range(60):
        naive = clustered(fit(study(rng, 80, 25)), by_voter=False)
        blind.append((naive.low <= truth.theta) & (truth.theta <= naive.high))
    assert np.mean(blind) < 0.88


@pytest.mark.parametrize("name", WORLDS)
def test_intervals_have_their_nominal_coverage(name: str) -> None:
    """Between 93 and 98 of 100 over 500 worlds, by `python -m benchmarks.coverage`.

    Here over 120, of which a share of 95 of 100 has a standard error of two points: two of them are allowed.
    """
    share = coverage(WORLDS[name], 120)
    for what in ("strengths", "differences", "side", "ranks"):
        assert share[what] >= 0.93 - 2 * np.sqrt(0.95 * 0.05 / 120), share


def duel(left: int, right: int, ties: int = 0) -> DavidsonFit:
    """Fit to numbers of votes for a, for b and for neither, each by another voter, with balanced sides."""
    counts: dict[Outcome, int] = {"left": left, "right": right, "tie": ties}
    mirror: dict[Outcome, Outcome] = {"left": "right", "right": "left", "tie": "tie"}
    votes: list[PairwiseVote] = []
    for outcome, count in counts.items():
        for index in range(count):
            voter = f"{outcome}-{index}"
            even, odd = PairwiseVote(voter, "a", "b", outcome), PairwiseVote(voter, "b", "a", mirror[outcome])
            votes.append(odd if index % 2 else even)
    return fit(PairCounts.of(votes))


@pytest.mark.parametrize("wins", [5, 40, 300])
def test_the_interval_of_a_perfect_record_reaches_the_likelihood_limit(wins: int) -> None:
    """Of n wins of n, the likelihood p^n falls by the deviance z² at p = exp(−z²/2n): no lower end is above that."""
    uncertainty = clustered(duel(wins, 0))
    lowest = np.exp(-(1.96**2) / (2 * wins))
    assert uncertainty.low[0] - uncertainty.high[1] <= np.log(lowest / (1 - lowest))
    assert uncertainty.high[0] - uncertainty.low[0] > 1.5
    assert elo(uncertainty.high[0]) - elo(uncertainty.low[0]) > 400


def test_two_wins_among_three_hundred_ties_do_not_decide_the_first_rank() -> None:
    uncertainty = clustered(duel(2, 0, 300))
    assert list(uncertainty.rank_low) == [1, 1]
    assert list(uncertainty.rank_high) == [2, 2]
    assert list(uncertainty.sure_rank) == [1, 1]
    assert list(clustered(duel(12, 0, 300)).rank_high) == [1, 2], "but twelve do"


def test_ties_alone_decide_no_rank() -> None:
    ties = [PairwiseVote(f"v{index}", "ab"[index % 2], "bc"[index % 2], "tie") for index in range(80)]
    davidson_fit = fit(PairCounts.of(ties))
    assert davidson_fit.theta == pytest.approx(np.zeros(3), abs=1e-9)
    uncertainty = clustered(davidson_fit)
    assert (uncertainty.low < -1).all()
    assert (uncertainty.high > 1).all()
    assert list(uncertainty.rank_high) == [3, 3, 3]


def test_the_ends_of_a_profile_are_where_the_deviance_is_the_limit(davidson_fit: DavidsonFit) -> None:
    profile = Profile.of(davidson_fit)
    contrasts = np.eye(davidson_fit.design.parameters)[:2] - np.eye(davidson_fit.design.parameters)[2:4]
    low, high = profile.ends(contrasts, np.array([3.84, 60.0]))
    for ends in (low, high):
        assert profile.deviances(contrasts, ends) == pytest.approx([3.84, 60.0], rel=1e-5)
    assert (low < contrasts @ davidson_fit.beta).all()
    assert (contrasts @ davidson_fit.beta < high).all()


def test_for_two_contestants_the_profile_is_the_likelihood_ratio() -> None:
    """Without prior, side and ties: twice the loss of log-likelihood at equal strengths, in closed form."""
    votes = [PairwiseVote(f"v{index}", "a", "b", "left" if index < 30 else "right") for index in range(40)]
    davidson_fit = fit(PairCounts.of(votes), prior_games=0, side=False)
    deviance = Profile.of(davidson_fit).deviances(np.array([[1.0, -1.0]]), np.zeros(1))
    assert deviance == pytest.approx([2 * (30 * np.log(0.75) + 10 * np.log(0.25) - 40 * np.log(0.5))])


def test_the_bootstrap_agrees_with_the_sandwich(davidson_fit: DavidsonFit) -> None:
    drawn, computed = bootstrap(davidson_fit, rounds=600), clustered(davidson_fit)
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


def test_ranks_lie_in_their_intervals(davidson_fit: DavidsonFit) -> None:
    uncertainty = clustered(davidson_fit)
    places = ranks(davidson_fit.theta)
    assert (uncertainty.rank_low <= places).all()
    assert (places <= uncertainty.rank_high).all()
    assert (uncertainty.rank_low <= uncertainty.sure_rank).all()
    assert (uncertainty.sure_rank <= places).all()
    assert uncertainty.rank_low.min() == 1


def test_one_voter_alone_gives_no_clustered_interval() -> None:
    alone = fit(PairCounts.of([PairwiseVote("v", "a", "b", "left"), PairwiseVote("v", "a", "b", "right")]))
    for method in (clustered, bootstrap):
        with pytest.raises(ValueError, match="two voters"):
            method(alone)
