"""Reading what was typed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypersd.cli.arguments import fraction, names, step_counts, whole_number


def test_names_are_separated_by_commas() -> None:
    assert names("base, hyper,turbo") == ("base", "hyper", "turbo")


@pytest.mark.parametrize("text", ["", ",", "base,", "base,,hyper", " "])
def test_a_missing_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="separated by commas"):
        names(text)


def test_a_repeated_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'base' is listed twice"):
        names("base,hyper,base")


def test_step_counts_come_in_order() -> None:
    assert step_counts("8,1,4") == (1, 4, 8)


@pytest.mark.parametrize("text", ["0", "-1", "51", "four", "1.5", "1_0", "٣", "1e2", "9" * 5000, "1,0"])
def test_impossible_steps_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="steps must be a whole number from 1 to 50"):
        step_counts(text)


@given(st.text())
def test_any_text_is_a_whole_number_in_range_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert 3 <= whole_number(text, 3, 99, "it") <= 99


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("0.25", 0.25), ("1e-3", 0.001)])
def test_fractions(text: str, value: float) -> None:
    assert fraction(text) == value


@pytest.mark.parametrize("text", ["0", "-0.5", "1.01", "nan", "inf", "half", ""])
def test_what_is_no_fraction_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        fraction(text)
