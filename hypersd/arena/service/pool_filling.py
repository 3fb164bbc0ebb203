"""Filling of a pool with a given number of pairs, cycling through the prompts."""

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
    """Draw one pair per turn, on the prompts in cyclic order; a turn in which a contestant fails adds no pair.

    No prompt is repeated before all were used, because a reward model needs many different prompts.

    Args:
        pool: receives the pairs.
        source: of the pairs of contestants.
        prompts: in their order; at least one.
        turns: consecutive numbers of the pairs; 0 is the first pair of an empty pool, so that filling can continue.
        progress: receives a line before each pair.
    """
    for number in turns:
        progress(f"drawing pair {number - turns.start + 1} of {len(turns)}")
        pool.add_pair(replace(source, prompts=[prompts[number % len(prompts)]]))
