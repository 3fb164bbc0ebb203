"""The reason for which a picture is left out, at each limit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hypersd.training.filters.limits import FilterLimits, rejection
from hypersd.training.filters.measurements import PictureMeasurement

GOOD = PictureMeasurement(row=0, name="a", captions=["a cat"], side=1024, sharpness=100.0, aesthetic=5.51)
LIMITS = FilterLimits()


def test_a_picture_at_the_limits_is_kept() -> None:
    assert rejection(GOOD, LIMITS) is None


@pytest.mark.parametrize(
    ("change", "reason", "value", "limit"),
    [
        ({"problem": "a damaged picture"}, "unreadable", "a damaged picture", ""),
        ({"side": 1023, "captions": []}, "side", "1023", ">= 1024"),
        ({"captions": []}, "caption", "no word is left once it is cleaned", ""),
        ({"sharpness": 99.999}, "sharpness", "100.00", ">= 100"),
        ({"sharpness": float("nan")}, "sharpness", "nan", ">= 100"),
        ({"aesthetic": 5.5}, "aesthetic", "5.500", "> 5.5"),
    ],
)
def test_a_picture_beyond_a_limit_is_left_out(change: dict[str, object], reason: str, value: str, limit: str) -> None:
    left_out = rejection(replace(GOOD, **change), LIMITS)
    assert left_out is not None
    assert (left_out.reason, left_out.value, left_out.limit) == (reason, value, limit)


def test_a_limit_of_none_lets_everything_pass() -> None:
    limits = FilterLimits(side=None, aesthetic=None, sharpness=None)
    poor = replace(GOOD, side=8, sharpness=0.0, aesthetic=float("nan"))
    assert rejection(poor, limits) is None
