"""Strengths: against worked examples, an independent implementation, and the formulae."""

from __future__ import annotations

import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypersd.arena.ranking.counts import OUTCOMES, PairCounts, PairwiseVote
from hypersd.arena.ranking.davidson import build_design, elo, fit

WINNERS = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]


def random_votes(seed: int = 0, n: int = 5, votes: int = 600) -> list[PairwiseVote]:
    rng = np.random.default_rng(seed)
    cast_votes = []
    for _ in range(votes):
        left, right = (int(index) for index in rng.choice(n, 2, replace=False))
        outcome = OUTCOMES[int(rng.choice(3, p=[0.35 + 0.05 * (right - left), 0.35 - 0.05 * (right - left), 0.3]))]
        cast_votes.append(PairwiseVote(f"voter-{rng.integers(20)}", f"m{left}", f"m{right}", outcome))
    return cast_votes


def test_the_worked_example_of_bradley_and_terry() -> None:
    """The example of Wikipedia's article "Bradley–Terry model", whose strengths have a geometric mean of 1."""
    wins = {"AB": 2, "AD": 1, "BA": 3, "BC": 5, "CB": 3, "CD": 1, "DA": 4, "DC": 3}
    votes = [PairwiseVote("v", pair[0], pair[1], "left") for pair, count in wins.items() for _ in range(count)]
    davidson_fit = fit(PairCounts.of(votes), prior_games=0, side=False)
    assert np.exp(davidson_fit.theta) == pytest.approx([0.640, 1.043, 0.660, 2.270], abs=1e-3)


def test_davidson_s_model_of_two_contestants_has_a_closed_form() -> None:
    """Of w wins, l losses, t ties, the likelihood equations give θ₁ − θ₂ = ln(w/l) and ν = t/√(wl)."""
    votes = [PairwiseVote("v", "a", "b", "left")] * 40 + [PairwiseVote("v", "b", "a", "left")] * 10
    votes += [PairwiseVote("v", "a", "b", "tie")] * 30
    davidson_fit = fit(PairCounts.of(votes), prior_games=0, side=False)
    assert davidson_fit.theta[0] - davidson_fit.theta[1] == pytest.approx(np.log(4))
    assert davidson_fit.tie == pytest.approx(30 / 20)


def test_half_wins_are_what_evalica_computes() -> None:
    votes = random_votes()
    pair_counts = PairCounts.of(votes)
    ours = fit(pair_counts, ties="half", prior_games=0, side=False)
    evalica_fit = evalica.bradley_terry(
        [one.left for one in votes],
        [one.right for one in votes],
        [WINNERS[OUTCOMES.index(one.outcome)] for one in votes],
        tie_weight=0.5,
        tolerance=1e-12,
        limit=10_000,
    )
    scores = np.log([evalica_fit.scores[name] for name in pair_counts.contestants])
    assert np.abs(ours.theta - (scores - scores.mean())).max() < 1e-6


def test_gradient_and_information_match_numerical_derivatives() -> None:
    pair_counts = PairCounts.of(random_votes())
    design = build_design(pair_counts, ties="davidson", prior_games=2, side=True)
    counts = design.counts(pair_counts.totals())
    beta = np.random.default_rng(1).normal(size=design.parameters)

    def likelihood(at: np.ndarray) -> float:
        chances = design.probabilities(at)
        return float((counts * np.log(np.where(chances > 0, chances, 1))).sum())

    def slope(at: np.ndarray) -> np.ndarray:
        return design.gradient(at, counts)

    step = 1e-5 * np.eye(len(beta))
    differences = [(likelihood(beta + e) - likelihood(beta - e)) / 2e-5 for e in step]
    assert slope(beta) == pytest.approx(np.array(differences), rel=1e-5, abs=1e-4)
    curvature = np.array([(slope(beta - e) - slope(beta + e)) / 2e-5 for e in step])
    assert design.information(beta, counts) == pytest.approx(curvature, rel=1e-5, abs=1e-4)


def test_a_perfect_record_stays_finite_with_a_prior_and_is_an_error_without() -> None:
    pair_counts = PairCounts.of([PairwiseVote("v", "a", "b", "left")] * 20)
    assert 0 < fit(pair_counts).theta[0] < 5
    with pytest.raises((ArithmeticError, np.linalg.LinAlgError)):
        fit(pair_counts, prior_games=0, side=False)


def test_unconnected_contestants_are_not_compared() -> None:
    with pytest.raises(ValueError, match="a, b; c, d"):
        fit(PairCounts.of([PairwiseVote("v", "a", "b", "left"), PairwiseVote("v", "c", "d", "left")]))
    with pytest.raises(ValueError, match="no votes"):
        fit(PairCounts.of([]))


def test_side_effect_and_strength_are_separated() -> None:
    rng = np.random.default_rng(0)
    votes = []
    for _ in range(4000):
        left, right = ("a", "b") if rng.random() < 0.5 else ("b", "a")
        odds = (1 if left == "a" else -1) * 0.8 + 0.5
        votes.append(PairwiseVote("v", left, right, "left" if rng.random() < 1 / (1 + np.exp(-odds)) else "right"))
    davidson_fit = fit(PairCounts.of(votes))
    assert davidson_fit.side == pytest.approx(0.5, abs=0.12)
    assert davidson_fit.theta[0] - davidson_fit.theta[1] == pytest.approx(0.8, abs=0.12)


def test_the_scale_is_elo_s() -> None:
    assert elo(np.array([0.0, np.log(10)])) == pytest.approx([1000, 1400])


judgement = st.builds(
    lambda voter, sides, outcome: PairwiseVote(voter, sides[0], sides[1], outcome),
    st.sampled_from(["ann", "ben", "cyd"]),
    st.permutations(["a", "b", "c"]).map(lambda names: names[:2]),
    st.sampled_from(OUTCOMES),
)
BRIDGE = [
    PairwiseVote("ann", "a", "b", "left"),
    PairwiseVote("ben", "b", "c", "right"),
    PairwiseVote("cyd", "a", "c", "tie"),
]


@settings(max_examples=40, deadline=None)
@given(st.lists(judgement, max_size=40))
def test_swapping_all_sides_negates_only_the_side_effect(votes: list[PairwiseVote]) -> None:
    votes = [*votes, *BRIDGE]
    mirror = {"left": "right", "right": "left", "tie": "tie"}
    swapped = [PairwiseVote(one.voter, one.right, one.left, mirror[one.outcome]) for one in votes]
    davidson_fit, other = fit(PairCounts.of(votes)), fit(PairCounts.of(swapped))
    assert davidson_fit.theta == pytest.approx(other.theta, abs=1e-7)
    assert davidson_fit.side == pytest.approx(-other.side, abs=1e-7)
    assert davidson_fit.tie == pytest.approx(other.tie, abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(st.lists(judgement, max_size=40), st.randoms(use_true_random=False))
def test_neither_order_nor_names_matter(votes: list[PairwiseVote], rng: object) -> None:
    votes = [*votes, *BRIDGE]
    names = {"a": "z", "b": "y", "c": "x"}
    renamed = [PairwiseVote(one.voter, names[one.left], names[one.right], one.outcome) for one in reversed(votes)]
    assert fit(PairCounts.of(votes)).theta == pytest.approx(fit(PairCounts.of(renamed)).theta[::-1], abs=1e-7)
