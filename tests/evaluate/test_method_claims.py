"""Verdicts on claims, from small results worked out by hand."""

from __future__ import annotations

import pytest

from hypersd.evaluate.method_claims import CLAIMS, MeasuredClaim, TrainingRun, check_claim
from hypersd.evaluate.metrics import BY_NAME
from hypersd.evaluate.picture_metrics import ImageMetrics

BETTER = MeasuredClaim(text="a better than b", metric="match", model="a", other="b", steps=2, proven=True)


def pictures(model: str, steps: int, values: list[float]) -> list[ImageMetrics]:
    return [
        ImageMetrics(model=model, steps=steps, prompt=str(number), seed=0, scores={"match": value}, seconds=1.0)
        for number, value in enumerate(values)
    ]


def results(**values: list[float]) -> TrainingRun:
    return {(model, 2): pictures(model, 2, numbers) for model, numbers in values.items()}


def test_better_comes_out_only_where_the_whole_interval_is_above_zero() -> None:
    clear = check_claim(BETTER, [results(a=[0.5, 0.7, 0.9], b=[0.4, 0.6, 0.8])] * 3)
    assert (clear.verdict, clear.seeds, clear.estimate.n) == ("comes out", 3, 3)
    assert clear.estimate.value == pytest.approx(0.1)
    mixed = check_claim(BETTER, [results(a=[0.9, 0.4], b=[0.5, 0.5])])  # +0.4 and -0.1: the mean alone is above zero
    assert mixed.estimate.value == pytest.approx(0.15)
    assert mixed.estimate.low == pytest.approx(-0.1)
    assert mixed.verdict == "does not come out"


@pytest.mark.parametrize(("least", "verdict"), [(-0.03, "comes out"), (-0.02, "does not come out")])
def test_an_aim_is_reached_by_the_value(least: float, verdict: str) -> None:
    claim = MeasuredClaim(text="near", metric="match", model="a", other="b", steps=2, least=least)
    assert check_claim(claim, [results(a=[0.5, 0.5], b=[0.52, 0.53])]).verdict == verdict


def test_ratios_are_to_the_other_s_own_steps_and_values_need_no_other() -> None:
    run = {**results(a=[0.9, 0.9]), ("base", 25): pictures("base", 25, [0.8, 1.0])}
    ratio = MeasuredClaim(
        text="r", metric="match", model="a", steps=2, other="base", other_steps=25, comparison="ratio", least=0.95
    )
    assert check_claim(ratio, [run]).estimate.value == pytest.approx(1.0)
    value = MeasuredClaim(text="v", metric="match", model="a", steps=2, comparison="value", least=0.91)
    assert check_claim(value, [run]).verdict == "does not come out"


def test_seeds_and_metrics_that_were_not_measured_do_not_count() -> None:
    half = check_claim(BETTER, [results(a=[0.5, 0.6], b=[0.4, 0.5]), results(a=[0.1, 0.1])])
    assert (half.seeds, half.verdict) == (1, "comes out")
    assert check_claim(BETTER, [results(a=[0.5])]).verdict == "not measured"
    other = MeasuredClaim(text="d", metric="diversity", model="a", other="b", steps=2)
    assert check_claim(other, [results(a=[0.5], b=[0.5])]).verdict == "not measured"
    unknown = results(a=[float("nan")], b=[0.5])
    assert check_claim(BETTER, [unknown]).verdict == "not measured"


def test_every_claim_is_of_a_known_metric() -> None:
    assert {claim.metric for claim in CLAIMS} <= BY_NAME.keys()
    assert len({(claim.text, claim.steps) for claim in CLAIMS}) == len(CLAIMS) == 26
