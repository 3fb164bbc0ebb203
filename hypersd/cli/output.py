"""Writing results: one JSON document for programs, or lines and tables for people."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from hypersd.utils.files import json_text


def emit(document: object) -> None:
    """Print a JSON document on standard output."""
    print(json_text(document))


def say(text: str) -> None:
    """Print a line for people on standard output."""
    print(text)


def note(text: str) -> None:
    """Print a line about the progress of work on standard error, where it is in no program's way."""
    print(text, file=sys.stderr, flush=True)


def show_log() -> None:
    """Let the package's own log (not the libraries') appear on standard error."""
    log = logging.getLogger("hypersd")
    log.setLevel(logging.INFO)
    log.handlers = [logging.StreamHandler(sys.stderr)]  # standard error as it is now: an earlier one may be closed


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns of text; numbers to the right."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    numeric = [
        bool(rows) and all(isinstance(row[column], int | float) for row in rows) for column in range(len(header))
    ]
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    )
    return "\n".join(lines)
