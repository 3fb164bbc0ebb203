"""Reading what was typed: lists, seeds, folders to write to. Each complaint says what to do."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hypersd.models.registry import FAMILIES
from hypersd.models.specs import MAX_STEPS

Value = TypeVar("Value")

DEFAULT_FAMILY = next(iter(FAMILIES))
"""The registry's first family is the one that is shipped."""


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
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise ValueError(f"expected a number above 0 and up to 1, not {text[:40]!r}")
    return value


def number(text: str) -> float:
    """A decimal number, by the same rule as everywhere (see `hypersd.sampling.request.parse_number`)."""
    from hypersd.sampling.request import parse_number

    return parse_number(text)


def picture_size(text: str) -> tuple[int, int]:
    """Width and height, by the same rule as everywhere (see `hypersd.sampling.request.parse_size`)."""
    from hypersd.sampling.request import parse_size

    return parse_size(text)


def writable_folder(folder: Path) -> Path:
    """Make a folder and what is missing above it, and check that files can be written there.

    Done before the work, so that no one waits for a result that cannot be kept.

    Raises:
        OSError: that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except FileExistsError as error:
        raise OSError(f"cannot write to {folder}: it is a file, not a folder") from error
    except OSError as error:
        raise OSError(f"cannot write to {folder}: {error.strerror}") from error


def seed_number(text: str) -> int:
    """A seed, by the same rule as everywhere (see `hypersd.sampling.request.parse_seed`)."""
    from hypersd.sampling.request import parse_seed

    return parse_seed(text)


def add_family(parser: argparse.ArgumentParser) -> None:
    """Add `--family`."""
    parser.add_argument(
        "--family", default=DEFAULT_FAMILY, metavar="F", help=f"{' | '.join(FAMILIES)} (default: {DEFAULT_FAMILY})"
    )


def add_shorten(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add `--shorten`."""
    parser.add_argument("--shorten", type=argument(fraction), default=1.0, metavar="X", help=help_text)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add `--seed`."""
    parser.add_argument("--seed", type=argument(seed_number), default=0, metavar="N", help="default: 0")


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add the parameters of sampling; a model whose recipe does not bear one is drawn without it, and says so."""
    group = parser.add_argument_group(
        "sampling", "Left out, each model is drawn by its published recipe; models that do not bear one say why."
    )
    group.add_argument(
        "--eta", type=argument(number), metavar="X", help="noise that each step adds anew, 0 to 1; less keeps details"
    )
    group.add_argument("--strength", type=argument(number), metavar="X", help="strength of the LoRA, up to 2")
    group.add_argument("--guidance", type=argument(number), metavar="X", help="guidance scale (CFG), 1 to 20")
    group.add_argument("--negative", metavar="PROMPT", help="what guidance leads away from")
    group.add_argument(
        "--size", type=argument(picture_size), metavar="WxH", help="of the pictures in pixels, or one side"
    )
    group.add_argument(
        "--count", type=argument(picture_count), default=1, metavar="N", help="pictures a model, from seed N on"
    )


def picture_count(text: str) -> int:
    """A number of pictures, 1 to `MAX_COUNT`.

    Raises:
        ValueError: it is none.
    """
    from hypersd.sampling.request import MAX_COUNT

    return whole_number(text, 1, MAX_COUNT, "the number of pictures")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_models_and_steps(parser: argparse.ArgumentParser, steps_help: str) -> None:
    """Add `--models` and `--steps`."""
    parser.add_argument(
        "--models", type=argument(names), metavar="A,B", help="which models (default: all that can be run here)"
    )
    parser.add_argument("--steps", type=argument(step_counts), metavar="N,N", help=steps_help)


def add_base_first(parser: argparse.ArgumentParser) -> None:
    """Add `--base-first`."""
    parser.add_argument(
        "--base-first",
        type=argument(lambda text: whole_number(text, 1, MAX_STEPS - 1, "the base's steps")),
        metavar="N",
        help="let the base, with its guidance, take the first N steps of every few-step model: more diverse pictures",
    )
