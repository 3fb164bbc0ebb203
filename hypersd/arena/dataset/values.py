"""Cells of other people's tables: numbers that pandas made floats of, moments spelt in any way, pictures in structs."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

_MILLISECONDS_FROM = 1e11
"""A moment from this number on is in milliseconds: in seconds it would be after the year 5000."""

_DIGITS = 20
_EXACT = 2**53
"""Floats are exact whole numbers up to here."""


def is_missing(value: object) -> bool:
    """True if a cell says nothing: null, NaN, or an empty text."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def whole(value: Any, name: str) -> int | None:
    """A whole number from 0 to 2⁶³ − 1; None if it is missing. A column with a null comes from pandas as floats.

    Raises:
        ValueError: it is something else, or a float that is too large to be exact.
    """
    if is_missing(value):
        return None
    number: Any = value
    exact = isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT
    if exact or (isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _DIGITS):
        number = int(value)
    if isinstance(number, bool) or not (isinstance(number, int) and 0 <= number < 2**63):
        raise ValueError(f"{name} is a whole number of 0 or more, not {value!r}")
    return number


def moment(value: Any, name: str) -> datetime:
    """A moment in UTC: a date and time, its ISO 8601 text, or seconds or milliseconds since 1970.

    Raises:
        ValueError: it is something else.
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
        raise ValueError(f"{name} is a moment, not {value!r}")  # noqa: TRY004 - what was read is wrong, no call
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(aware.timestamp(), UTC)  # a plain one: Arrow's nanoseconds come as pandas' own


def _parsed(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        return text


def picture_bytes(value: Any, name: str) -> bytes:
    """The bytes of a picture: as they are, or in the struct `{bytes, path}` of `datasets`.

    Raises:
        ValueError: there are none.
    """
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        return data
    if isinstance(value, dict) and value.get("path"):
        raise ValueError(f"the picture of {name} is not in the file, only its path is")
    raise ValueError(f"it has no picture in {name}")
