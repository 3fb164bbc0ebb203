"""Parsing of table cells: integers stored as floats by pandas, times in many formats, pictures in structs."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

_MILLISECONDS_FROM = 1e11
"""A timestamp from this number on is in milliseconds: in seconds it would be after the year 5000."""

_DIGITS = 20
_EXACT = 2**53
"""The largest float up to which all integers are exact."""


def is_missing(value: object) -> bool:
    """True if a cell has no value: null, NaN, or an empty string."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def whole(value: Any, name: str) -> int | None:
    """An integer from 0 to 2⁶³ − 1; None if it is missing. Pandas turns a column with nulls into floats.

    Raises:
        ValueError: it is not such a number, or is a float too large to be exact.
    """
    if is_missing(value):
        return None
    number: Any = value
    exact = isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT
    if exact or (isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _DIGITS):
        number = int(value)
    if isinstance(number, bool) or not (isinstance(number, int) and 0 <= number < 2**63):
        raise ValueError(f"{name} must be a whole number of 0 or more, not {value!r}")
    return number


def moment(value: Any, name: str) -> datetime:
    """A time in UTC, from a datetime, ISO 8601 text, or seconds or milliseconds since 1970.

    Raises:
        ValueError: the value is none of these.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = _parsed(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
        value = datetime.fromtimestamp(seconds, UTC) if seconds < _MILLISECONDS_FROM else value
    if not isinstance(value, datetime):
        raise ValueError(f"{name} must be a date and time, not {value!r}")  # noqa: TRY004 - the data is wrong, not a call
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(aware.timestamp(), UTC)  # a plain datetime: Arrow gives nanoseconds as pandas' type


def _parsed(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        return text


def picture_bytes(value: Any, name: str) -> bytes:
    """The bytes of a picture, given directly or in the struct `{bytes, path}` of `datasets`.

    Raises:
        ValueError: the cell holds no bytes.
    """
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        return data
    if isinstance(value, dict) and value.get("path"):
        raise ValueError(f"the picture of {name} is not in the file, only its path is")
    raise ValueError(f"it has no picture in {name}")
