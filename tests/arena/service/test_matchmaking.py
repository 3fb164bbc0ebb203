"""Matchmaking."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypersd.arena.service.matchmaking import UNIFORM_SHARE, draw, pair_probabilities

NAMES = ("a", "b", "c", "d")


def test_every_pair_has_a_positive_probability_and_rare_pairs_a_higher_one() -> None:
    shares = pair_probabilities(NAMES, counts={("a", "b"): 1000, ("c", "a"): 0})
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= UNIFORM_SHARE / 6
    assert min(shares, key=lambda pair: shares[pair]) == ("a", "b")


def test_the_expected_reduction_equals_that_by_matrix_inversion() -> None:
    rng = np.random.default_rng(0)
    strengths = dict(zip(NAMES, rng.normal(size=4), strict=True))
    root = rng.normal(size=(4, 4))
    information = root @ root.T + np.eye(4)
    covariance = np.linalg.inv(information)

    def spread(matrix: np.ndarray) -> float:
        return sum(matrix[i, i] + matrix[j, j] - 2 * matrix[i, j] for i, j in combinations(range(4), 2))

    gains = {}
    for i, j in combinations(range(4), 2):
        difference = np.eye(4)[i] - np.eye(4)[j]
        chance = 1 / (1 + np.exp(-(strengths[NAMES[i]] - strengths[NAMES[j]])))
        after = np.linalg.inv(information + chance * (1 - chance) * np.outer(difference, difference))
        gains[NAMES[i], NAMES[j]] = spread(covariance) - spread(after)
    total = sum(gains.values())
    expected = {pair: UNIFORM_SHARE / 6 + (1 - UNIFORM_SHARE) * gain / total for pair, gain in gains.items()}
    assert pair_probabilities(NAMES, strengths, covariance) == pytest.approx(expected)


@given(st.integers(2, 7), st.integers(0, 2**32 - 1), st.floats(0.01, 30))
def test_probabilities_sum_to_one_and_have_a_lower_bound(count: int, seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    names = [f"contestant-{index}" for index in range(count)]
    strengths = dict(zip(names, spread * rng.normal(size=count), strict=True))
    root = rng.normal(size=(count, max(1, count - 1)))  # rank deficient, as for strengths that sum to 0
    pairs = list(combinations(names, 2))
    for shares in (
        pair_probabilities(names),
        pair_probabilities(names, strengths, root @ root.T),
        pair_probabilities(names, strengths, np.zeros((count, count))),
        pair_probabilities(names, counts={pair: int(rng.integers(10**6)) for pair in pairs}),
    ):
        assert list(shares) == pairs
        assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
        assert min(shares.values()) >= UNIFORM_SHARE / len(pairs) * (1 - 1e-9)
        assert (drawn := draw(shares, rng)).probability == shares[drawn.first, drawn.second]


def test_uncertain_and_close_pairs_are_drawn_most() -> None:
    strengths = {"a": 0.0, "b": 0.0, "c": 4.0}
    known, unknown = np.eye(3) * 0.01, np.diag([0.01, 1.0, 0.01])
    close = pair_probabilities(("a", "b", "c"), strengths, known)
    assert max(close, key=lambda pair: close[pair]) == ("a", "b"), "the results against c are predictable"
    unsure = pair_probabilities(("a", "b", "c"), dict.fromkeys("abc", 0.0), unknown)
    assert min(unsure, key=lambda pair: unsure[pair]) == ("a", "c"), "only b is uncertain"


def test_draws_follow_and_record_the_probabilities() -> None:
    shares = {("a", "b"): 0.7, ("a", "c"): 0.3}
    rng = np.random.default_rng(0)
    drawn = [draw(shares, rng) for _ in range(1000)]
    assert 640 < sum((one.first, one.second) == ("a", "b") for one in drawn) < 760
    assert all(one.probability == shares[one.first, one.second] for one in drawn)


def test_one_contestant_is_an_error() -> None:
    with pytest.raises(ValueError, match="two contestants"):
        pair_probabilities(["a"])
    with pytest.raises(ValueError, match="does not fit"):
        pair_probabilities(NAMES, dict.fromkeys(NAMES, 0.0), np.eye(3))
