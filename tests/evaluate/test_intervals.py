"""Intervals: that they cover what they should, and what they say where there is little to see."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from hypersd.evaluate.intervals import bootstrap_mean, bootstrap_ratio
from hypersd.utils.estimates import UNKNOWN, Estimate


def test_intervals_cover_the_true_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        interval = bootstrap_mean(rng.beta(6, 2, size=64), rounds=500)
        covered += interval.low <= 0.75 <= interval.high
    assert 0.91 <= covered / 400 <= 0.98


def test_the_interval_is_that_of_the_normal_approximation_where_that_holds() -> None:
    values = np.random.default_rng(1).normal(5, 2, size=400)
    interval = bootstrap_mean(values)
    assert interval.value == pytest.approx(values.mean())
    assert interval.reach == pytest.approx(1.96 * values.std() / 20, rel=0.06)


def test_the_seed_decides_and_blocks_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).normal(size=50)
    first = bootstrap_mean(values)
    assert bootstrap_mean(values) == first
    assert bootstrap_mean(values, seed=1) != first
    monkeypatch.setattr("hypersd.utils.estimates._BLOCK", 500)
    assert bootstrap_mean(values) == first


@pytest.mark.parametrize("n", [1, 32, 64])
def test_prompts_that_all_agree_are_not_taken_for_certainty(n: int) -> None:
    exact = binomtest(n, n).proportion_ci(0.95, "exact")
    interval = bootstrap_mean([1.0] * n, bounds=(0, 1))
    assert (interval.value, interval.low, interval.high) == (1.0, pytest.approx(exact.low), 1.0)
    none = bootstrap_mean([0.0] * n, bounds=(0, 1))
    assert (none.low, none.high) == (0.0, pytest.approx(1 - exact.low))
    same = bootstrap_mean([0.0] * n, bounds=(-1, 1))
    assert (same.low, same.high) == (pytest.approx(exact.low - 1), pytest.approx(1 - exact.low))


def test_what_was_not_measured_does_not_count() -> None:
    assert bootstrap_mean([1.0, math.nan, 3.0]) == bootstrap_mean([1.0, 3.0])
    assert bootstrap_mean([math.nan]) is UNKNOWN
    assert bootstrap_mean([]) is UNKNOWN
    assert not UNKNOWN.known
    alone = bootstrap_mean([2.0])
    assert alone.known
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)
    assert bootstrap_mean([2.0, 2.0]) == Estimate(2.0, 2.0, 2.0, 2)


def test_a_ratio_is_surer_than_its_two_means_where_they_move_together() -> None:
    rng = np.random.default_rng(1)
    hard = rng.uniform(1, 9, 60)
    others = {str(number): value for number, value in enumerate(hard)}
    values = {str(number): 0.9 * value * rng.uniform(0.95, 1.05) for number, value in enumerate(hard)}
    ratio = bootstrap_ratio(values, others)
    assert ratio.low < 0.9 < ratio.high
    assert ratio.high - ratio.low < 0.03
    alone = bootstrap_mean(list(values.values()))
    assert (alone.high - alone.low) / alone.value > 0.2


def test_a_ratio_without_prompts_in_common_is_unknown() -> None:
    assert bootstrap_ratio({"a": 1.0}, {"b": 1.0}) is UNKNOWN
    assert bootstrap_ratio({"a": 1.0}, {"a": 0.0}) is UNKNOWN
    single = bootstrap_ratio({"a": 1.0}, {"a": 2.0})
    assert single.value == 0.5
    assert math.isnan(single.low)
