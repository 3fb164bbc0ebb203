"""Paired comparisons, worked out by hand."""

from __future__ import annotations

import math

import pytest

from hypersd.evaluate.paired_bootstrap import paired_estimate
from hypersd.utils.estimates import UNKNOWN


def test_differences_ratios_and_values_are_of_the_prompts_that_all_have() -> None:
    ours = [{"a": 0.8, "b": 0.6, "c": 0.1}, {"a": 1.0, "b": 0.8}]
    others = [{"a": 0.5, "b": 0.4}, {"a": 0.6, "b": 0.5, "d": 9.0}]
    assert paired_estimate(ours, others, "difference").value == pytest.approx((0.3 + 0.2 + 0.4 + 0.3) / 4)
    assert paired_estimate(ours, others, "ratio").value == pytest.approx(3.2 / 2.0)
    assert paired_estimate(ours, others, "value").value == pytest.approx(3.2 / 4)
    assert paired_estimate(ours, others, "difference").n == 2


def test_what_is_hard_for_both_cancels() -> None:
    ours = [{str(number): number + 0.25 for number in range(20)}]
    others = [{str(number): float(number) for number in range(20)}]
    estimate = paired_estimate(ours, others, "difference")
    assert (estimate.low, estimate.value, estimate.high) == pytest.approx((0.25, 0.25, 0.25))


def test_seeds_that_disagree_widen_the_interval() -> None:
    prompts = [str(number) for number in range(50)]
    others = [dict.fromkeys(prompts, 0.0)] * 3
    agree = paired_estimate([dict.fromkeys(prompts, 0.1)] * 3, others, "difference")
    apart = paired_estimate([dict.fromkeys(prompts, value) for value in (-0.2, 0.1, 0.4)], others, "difference")
    assert apart.value == pytest.approx(agree.value)
    # All draws of three seeds of three: the least is -0.2 three times, with a probability of 1/27 > 2.5 %.
    assert (apart.low, apart.high) == pytest.approx((-0.2, 0.4))
    assert agree.reach == pytest.approx(0)


def test_nothing_in_common_is_unknown_and_a_single_prompt_has_no_interval() -> None:
    assert paired_estimate([{"a": 1.0}], [{"b": 1.0}], "difference") == UNKNOWN
    single = paired_estimate([{"a": 1.0}], [{"a": 0.5}], "ratio")
    assert single.value == 2
    assert math.isnan(single.low)
