"""Text in CSV files that people open in a spreadsheet, which runs a cell as a formula if it begins like one."""

from __future__ import annotations

import re
from typing import TypeVar

Cell = TypeVar("Cell")

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def as_cell(value: Cell) -> Cell | str:
    """A text that would run as a formula, with an apostrophe before it; anything else, numbers too, as it is.

    Prompts, captions and file names come from other people's data. See OWASP, "CSV injection".
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def text_of_cell(cell: str) -> str:
    """The text of which `as_cell` made a cell."""
    return cell[1:] if _QUOTED.match(cell) and not _NUMBER.fullmatch(cell) else cell
