"""One row of Pick-a-Pic's columns, parsed into typed fields."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from hypersd.arena.dataset.pickapic_row import COLUMNS, PickAPicRow, parse_row

BARE = {"caption": "a fox", "jpg_0": b"left", "jpg_1": b"right", "label_0": 1.0, "label_1": 0.0}


def test_five_columns_are_enough_for_a_choice() -> None:
    assert BARE.keys() == COLUMNS
    assert parse_row(BARE) == PickAPicRow(prompt="a fox", images=(b"left", b"right"), labels=(1.0, 0.0))


def test_optional_columns_name_voter_time_and_models() -> None:
    row = BARE | {"user_id": 4.0, "ranking_id": "17", "model_0": "a/b", "model_1": None, "kind": "simulated"}
    parsed = parse_row(row | {"created_at": "2023-02-01T12:30:15", "jpg_1": {"bytes": b"right", "path": None}})
    assert parsed == PickAPicRow(
        prompt="a fox",
        images=(b"left", b"right"),
        labels=(1.0, 0.0),
        models=("a/b", ""),
        user=4,
        ranking=17,
        kind="simulated",
        created=datetime(2023, 2, 1, 12, 30, 15, tzinfo=UTC),
    )


@pytest.mark.parametrize("nothing", [None, math.nan, ""])
def test_an_empty_cell_is_unknown(nothing: object) -> None:
    optional = ("user_id", "ranking_id", "model_0", "model_1", "kind", "created_at")
    assert parse_row(BARE | dict.fromkeys(optional, nothing)) == parse_row(BARE)


@pytest.mark.parametrize("has_label", [False, None])
def test_a_row_without_a_label_is_left_out(has_label: object) -> None:
    assert parse_row({"has_label": has_label, "caption": None}) is None
    assert parse_row(BARE | {"has_label": True}) is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"caption": None}, "no prompt in caption"),
        ({"jpg_0": None}, "no picture in jpg_0"),
        ({"jpg_1": {"bytes": None, "path": "fox.jpg"}}, "jpg_1 is not in the file, only its path is"),
        ({"label_0": None}, "labels must be numbers from 0 to 1, not None and 0.0"),
        ({"label_0": math.nan}, "labels must be numbers from 0 to 1, not nan"),
        ({"label_1": -0.5}, "labels must be numbers from 0 to 1, not 1.0 and -0.5"),
        ({"label_1": "left"}, "labels must be numbers from 0 to 1, not 1.0 and left"),
        ({"user_id": -4}, "user_id must be a whole number"),
        ({"ranking_id": 0.5}, "ranking_id must be a whole number"),
        ({"model_1": 7}, "model_1 must be a name, not 7"),
        ({"kind": "robot"}, "'robot' is not a kind of voter"),
        ({"created_at": "yesterday"}, "created_at must be a date and time, not 'yesterday'"),
    ],
)
def test_an_invalid_cell_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_row(BARE | change)


def test_a_missing_required_column_is_named() -> None:
    with pytest.raises(ValueError, match="no picture in jpg_1"):
        parse_row({name: value for name, value in BARE.items() if name != "jpg_1"})
