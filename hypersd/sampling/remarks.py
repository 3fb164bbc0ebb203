"""Warnings about a prompt: words that are unknown, cannot be drawn, or exceed the length limit."""

from __future__ import annotations

from collections.abc import Sequence

from hypersd.models.families.embedded import objects_of, read_prompt
from hypersd.models.specs import Family

_NAMED = 5
"""Largest number of words that a sentence names."""

_SHOWN = 120
"""Largest number of characters of a truncated end that a sentence quotes."""


def word_remarks(family: Family, prompt: str) -> tuple[str, ...]:
    """Warnings about words that are unknown to the family, or that it cannot draw at their position."""
    reading = read_prompt(family, prompt)
    if reading is None:
        return ()
    things = objects_of(family)
    remarks: list[str] = []
    if reading.unknown:
        remarks.append(
            f"{family.title} has never seen {quoted(reading.unknown)}, so it will guess. "
            f"It knows {len(things)} things, from {listed(things[:3])} to {things[-1]}."
        )
    if reading.unused:
        remarks.append(unused_remark(reading.unused))
    return tuple(remarks)


def unused_remark(words: Sequence[str]) -> str:
    """A warning about words that a scene cannot show."""
    return (
        f"Not drawn: {quoted(words)}. A scene is one thing, big or small, or two side by side, on a background of one "
        "colour; things keep their own colours."
    )


def unread_remark(unread: str) -> str:
    """A warning about the end of a prompt that no text encoder reads; empty if the whole prompt is read."""
    if not unread:
        return ""
    shown = unread if len(unread) <= _SHOWN else f"{unread[:_SHOWN].rstrip()} \N{HORIZONTAL ELLIPSIS}"
    return (
        f"The prompt is longer than this model reads; not read: "
        f"\N{LEFT DOUBLE QUOTATION MARK}{shown}\N{RIGHT DOUBLE QUOTATION MARK}."
    )


def quoted(words: Sequence[str]) -> str:
    """The first of these words, each in quotation marks."""
    names = [f"\N{LEFT DOUBLE QUOTATION MARK}{word}\N{RIGHT DOUBLE QUOTATION MARK}" for word in words[:_NAMED]]
    return listed(names) + (" and other words" if len(words) > _NAMED else "")


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a list in English: `a, b and c`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]
