"""Types of arguments: what was typed, as paths, numbers and lists. Each complaint says what to do."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from hypersd.models.control_specs import ControlMode
from hypersd.models.specs import MAX_STEPS
from hypersd.utils.numbers import parse_number

Value = TypeVar("Value")

NONE = "none"
"""Word that leaves a limit out."""

_MOST_WEIGHT = 1000.0


def refuse_given(options: argparse.Namespace, left_out: Mapping[str, object], reason: str) -> None:
    """See that options that do not belong to a command have the values that they have when they are left out.

    Args:
        options: all of them.
        left_out: those values, by the options' names.
        reason: for the message.

    Raises:
        ValueError: one has another value.
    """
    for name, value in left_out.items():
        if getattr(options, name) != value:
            raise ValueError(f"{reason}; leave out --{name.replace('_', '-')}")


def argument(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """`parse` as a type for argparse, which would otherwise replace the message of a `ValueError` by its own."""

    def typed(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return typed


def names(text: str) -> tuple[str, ...]:
    """A comma-separated list of names, each once.

    Raises:
        ValueError: it is empty, or a name is missing or repeated.
    """
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise ValueError(f"expected names separated by commas, not {text!r}")
    if repeated := [name for name in parts if parts.count(name) > 1]:
        raise ValueError(f"{repeated[0]!r} is listed twice")
    return parts


def path(text: str) -> Path:
    """A file or folder; `.` is the current folder, and an empty text (often an unset variable of a script) is none.

    Raises:
        ValueError: it is empty.
    """
    if not text.strip():
        raise ValueError("expected the name of a file or folder, not an empty text")
    return Path(text)


def source(text: str) -> str:
    """A file, a folder or a URL.

    Raises:
        ValueError: it is empty.
    """
    if not text.strip():
        raise ValueError("expected a file, a folder or a URL, not an empty text")
    return text


def whole_number(text: str, low: int, high: int, what: str) -> int:
    """A decimal whole number from `low` to `high`; `what` names it in a complaint.

    Raises:
        ValueError: it is none, or outside.
    """
    digits = text.strip()
    # int() would also take "1_000" and "٣", and refuses thousands of digits with a sentence of its own.
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20 and low <= int(digits) <= high):
        raise ValueError(f"{what} must be a whole number from {low} to {high}, not {text[:40]!r}")
    return int(digits)


def counted(low: int, high: int, what: str) -> Callable[[str], int]:
    """A whole number from `low` to `high` as a type for argparse; `what` names it in a complaint."""
    return argument(lambda text: whole_number(text, low, high, what))


def step_counts(text: str) -> tuple[int, ...]:
    """A comma-separated list of step counts, in ascending order.

    Raises:
        ValueError: one of them is no whole number from 1 to `MAX_STEPS`, or is repeated.
    """
    return tuple(sorted(whole_number(part, 1, MAX_STEPS, "steps") for part in names(text)))


def fraction(text: str) -> float:
    """A number above 0 and up to 1.

    Raises:
        ValueError: it is not.
    """
    return _up_to_one(text, "a number above 0 and up to 1")


def learning_rate(text: str) -> float:
    """A learning rate above 0 and up to 1.

    Raises:
        ValueError: it is none.
    """
    return _up_to_one(text, "a learning rate above 0 and up to 1, such as 1e-5")


def _up_to_one(text: str, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise ValueError(f"expected {expected}, not {text[:40]!r}")
    return value


def loss_weight(text: str) -> float:
    """A weight of a loss, from 0 on.

    Raises:
        ValueError: it is none.
    """
    value = parse_number(text)
    if not 0 <= value <= _MOST_WEIGHT:
        raise ValueError(f"expected a weight from 0 to {_MOST_WEIGHT:g}, not {text[:40]!r}")
    return value


def picture_size(text: str) -> tuple[int, int]:
    """Width and height, by the same rule as everywhere (see `hypersd.sampling.request.parse_size`)."""
    from hypersd.sampling.request import parse_size

    return parse_size(text)


def seed_number(text: str) -> int:
    """A seed, by the same rule as everywhere (see `hypersd.sampling.request.parse_seed`)."""
    from hypersd.sampling.request import parse_seed

    return parse_seed(text)


def picture_count(text: str) -> int:
    """A number of pictures, 1 to `MAX_COUNT`.

    Raises:
        ValueError: it is none.
    """
    from hypersd.sampling.request import MAX_COUNT

    return whole_number(text, 1, MAX_COUNT, "the number of pictures")


def control_mode(text: str) -> ControlMode:
    """A mode by its name.

    Raises:
        ValueError: there is none; the message lists those that exist.
    """
    try:
        return ControlMode(text)
    except ValueError as error:
        raise ValueError(f"unknown mode {text[:40]!r}; choose from: {', '.join(ControlMode)}") from error


def limit(parse: Callable[[str], float]) -> Callable[[str], float | None]:
    """A number, or None for the word that leaves a limit out."""
    return lambda text: None if text.strip().lower() == NONE else parse(text)


def finite_number(text: str) -> float:
    """A number that is finite, for a limit.

    Raises:
        ValueError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"expected a number or {NONE}, not {text[:40]!r}")
    return value
