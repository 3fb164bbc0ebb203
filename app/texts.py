"""The texts of the Arena tab, for static/arena.js, and formatting of messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ARENA: Mapping[str, str] = MappingProxyType(
    {
        "question": "Which picture is better?",
        "left": "Left",
        "right": "Right",
        "tie": "Tie",
        "both_bad": "Both bad",
        "skip": "Skip",
        "left_picture": "Left picture",
        "right_picture": "Right picture",
        "slider": "Lay one over the other",
        "zoom": "Zoom",
        "drawing": "The first pairs are being drawn. This takes a few seconds.",
        "empty": "You have seen every pair there is. New ones are being drawn.",
        "chose": "You chose {name}.",
        "chose_tie": "You called it a tie.",
        "chose_both_bad": "You found both bad.",
        "chose_skip": "You skipped this one.",
        "check": "This one was a check: one of the two is a spoiled copy of the other.",
        "named": "{name}, {steps} steps",
        "named_one": "{name}, {steps} step",
        "took": "{calls} model calls, {seconds} s",
        "took_one": "{calls} model call, {seconds} s",
        "seed": "seed {seed}",
        "counted": "Counted.",
        "undo": "Undo",
        "undone": "Taken back: this vote does not count. You have seen the models, so the pair is not asked again.",
        "away": "The arena cannot be reached; please try again.",
        "receipt": "Receipt {receipt}",
        "check_receipt": "Check that it is kept",
        "your_receipt": "A receipt of a vote",
        "look_up": "Check a receipt",
        "kept": "This vote is kept, since {day}.",
        "kept_withdrawn": "This vote of {day} was taken back; it does not count.",
        "private": "Your own prompt: counted for you, not on the public board.",
        "knowing": "Knowing the time each took, which would you use?",
        "same": "Either",
        "thanks": "Noted.",
        "count": "{votes} votes so far",
        "count_one": "{votes} vote so far",
        "today": "{today} of them today",
        "toward": "{left} more until you see what you prefer yourself",
        "mine": "What you prefer",
        "battles": "{share} % of {battles}",
        "own": "Or have two models draw what you like",
        "draw": "Draw a pair",
        "working": "Drawing your pair \N{HORIZONTAL ELLIPSIS}",
        "coming": "Your pair is ready: it comes next.",
        "offline": "The arena cannot be reached. Your vote was not taken; please try again.",
        "part": "What you vote on",
        "open": "Open arena",
        "progress": "{given} of {wanted} votes, {complete} of {comparisons} comparisons complete.",
        "forced": "Here one of the two has to be chosen; skip a pair if you cannot.",
        "done": "This study has all the votes that it needs here. Thank you! The open arena goes on.",
        "cannot": "{title}: cannot be held here ({problem}).",
        "kept_private": (
            "With each vote we keep a pseudonym, never your address, and your prompt if it is your own. "
            "Votes and own prompts may be published as a dataset."
        ),
        "kept_published": (
            "With each vote we keep a pseudonym, never your address, and your prompt if it is your own. "
            "Votes and own prompts are published as a dataset."
        ),
    }
)
"""The texts of the Arena tab by their keys, with placeholders in braces; `KEY_one` is the singular of `KEY`."""

LIBRARY: Mapping[str, str] = MappingProxyType(
    {
        "drawing": "The first pairs are being prepared. This takes a few seconds.",
        "empty": "You have seen every pair there is. Thank you!",
        "kept_private": (
            "With each vote we keep a pseudonym, never your address. Votes may be published as a dataset."
        ),
        "kept_published": ("With each vote we keep a pseudonym, never your address. Votes are published as a dataset."),
    }
)
"""Texts that are different where visitors vote on pictures that exist already."""


def sentence(message: str) -> str:
    """A message as a sentence: with a capital letter and a full stop."""
    return f"{message[:1].upper()}{message[1:]}{'' if message.endswith(('.', '!', '?')) else '.'}"
