"""Paired comparison of two models over prompts and training seeds, by a bootstrap that draws both anew.

What makes a prompt hard is hard for both models, and cancels; what one training happens to learn is shared by all
prompts, so that prompts alone would give too narrow an interval (two crossed factors: Owen 2007, "the pigeonhole
bootstrap").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hypersd.utils.estimates import UNKNOWN, Estimate, percentile_interval

PromptValues = Mapping[str, float]
"""One value a prompt: the mean of its pictures."""

_ROUNDS = 2000

Table = NDArray[np.floating[Any]]


def paired_estimate(
    ours: Sequence[PromptValues],
    others: Sequence[PromptValues],
    comparison: Literal["difference", "ratio", "value"],
    *,
    rounds: int = _ROUNDS,
) -> Estimate:
    """The mean of our values less the others', or over the others', or alone; and its percentile interval.

    Only prompts count that have all values in all training seeds. With one training seed the interval is over prompts
    alone. `n` is the number of prompts.

    Args:
        ours: the values of each training seed.
        others: the other model's, of the same seeds; not looked at for `value`.
        comparison: of both means.
        rounds: how many resamples.

    Returns:
        `UNKNOWN` if no prompt has all values; an unknown interval for a single prompt.
    """
    tables = ours if comparison == "value" else [*ours, *others]
    prompts = [prompt for prompt in tables[0] if all(prompt in table for table in tables)] if tables else []
    if not prompts:
        return UNKNOWN
    first = _table(ours, prompts)
    second = None if comparison == "value" else _table(others, prompts)
    value = _compare(first, second, comparison)
    if len(prompts) == 1:
        return Estimate(value, math.nan, math.nan, 1)
    rng = np.random.default_rng(0)
    draws: list[float] = []
    for _ in range(rounds):
        drawn = np.ix_(rng.integers(len(ours), size=len(ours)), rng.integers(len(prompts), size=len(prompts)))
        draws.append(_compare(first[drawn], None if second is None else second[drawn], comparison))
    return Estimate(value, *percentile_interval(np.array(draws)), len(prompts))


def _table(values: Sequence[PromptValues], prompts: Sequence[str]) -> Table:
    """`(seeds, prompts)`."""
    return np.array([[each[prompt] for prompt in prompts] for each in values])


def _compare(first: Table, second: Table | None, comparison: str) -> float:
    if second is None:
        return float(first.mean())
    if comparison == "difference":
        return float((first - second).mean())
    below = second.mean()
    return float(first.mean() / below) if below else math.nan
