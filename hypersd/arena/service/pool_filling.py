"""Filling of a pool with so many pairs at once, whose prompts take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypersd.arena.service.pool import PairPool, PairSource


def fill_in_turn(
    pool: PairPool,
    source: PairSource,
    prompts: Sequence[str],
    turns: range,
    progress: Callable[[str], None] = lambda _line: None,
) -> None:
    """Draw a pair for each turn, of the prompt whose turn it is; where a contestant fails, a turn passes without one.

    A reward model learns prompts, not votes: none shall come twice before all have come.

    Args:
        pool: that the pairs come into.
        source: of the pairs of contestants.
        prompts: in their order; one at least.
        turns: numbers of the pairs, counted from 0 for the first that the pool ever had: it goes on where it stopped.
        progress: takes a line before each pair.
    """
    for number in turns:
        progress(f"drawing pair {number - turns.start + 1} of {len(turns)}")
        pool.add_pair(replace(source, prompts=[prompts[number % len(prompts)]]))
