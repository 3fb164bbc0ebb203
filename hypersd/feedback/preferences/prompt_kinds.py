"""Kinds of prompts, by which a report groups what it measured."""

from __future__ import annotations

from collections.abc import Callable

from hypersd.models.families.embedded import prompt_reader
from hypersd.models.specs import Family


def kinds_of_prompts(family: Family) -> Callable[[str], str]:
    """Function that groups prompts: by the number of objects, where the family's words are known."""
    read = prompt_reader(family)
    if read is None:
        return lambda _prompt: "all"
    return lambda prompt: "two objects" if len(read(prompt).objects) > 1 else "one object"
