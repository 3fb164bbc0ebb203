"""Numbers as people write them."""

from __future__ import annotations

import re


def parse_number(text: str) -> float:
    """Parse a decimal number.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\s*", text):
        raise ValueError(f"expected a number such as 0.8, not {text[:40]!r}")
    return float(text)
