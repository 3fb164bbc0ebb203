"""Confidence intervals of a mean over prompts, by the bootstrap (Efron 1979; Davison and Hinkley 1997).

Prompts are what is drawn anew, never pictures: several pictures of one prompt resemble each other, and an interval
that takes them for independent is too narrow. So a value a prompt comes in, the mean of its pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypersd.utils.estimates import LEVEL, UNKNOWN, Estimate, percentile_interval, resamples

Floats = NDArray[np.floating[Any]]

_ROUNDS = 2000
"""Resamples; the ends of an interval then move by about 2 % of its width from one seed to another."""


def bootstrap_mean(
    values: Sequence[float] | Floats,
    *,
    bounds: tuple[float, float] | None = None,
    level: float = LEVEL,
    rounds: int = _ROUNDS,
    seed: int = 0,
) -> Estimate:
    """The mean of one value a prompt, and its percentile interval over prompts drawn with replacement.

    Where all `n` values agree, resampling finds nothing but their value, and would call it certain. If the values have
    `bounds`, the interval then reaches as far as prompts that were not seen could pull the mean: a share of up to
    1 - ((1 - level) / 2)^(1/n) of them might lie at a bound. For a share of n right prompts in n that is the interval
    of Clopper and Pearson (1934).

    Args:
        values: `(n,)`; NaN stands for a prompt that was not measured, and does not count.
        bounds: between which every possible value lies.
        level: the probability that the interval should cover the true mean.
        rounds: how many resamples.
        seed: of the resamples; the same seed gives the same interval.

    Returns:
        `UNKNOWN` if there is nothing to take the mean of; an unknown interval around a single value without bounds.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not known.size:
        return UNKNOWN
    mean = float(known.mean())
    if np.ptp(known) == 0:
        low, high = _agreed(float(known[0]), known.size, bounds, level)
    else:
        means = [known[drawn].mean(axis=1) for drawn in resamples(known.size, rounds, seed)]
        low, high = percentile_interval(np.concatenate(means), level)
    return Estimate(mean, low, high, known.size)


def bootstrap_ratio(
    values: Mapping[str, float], others: Mapping[str, float], *, level: float = LEVEL, rounds: int = _ROUNDS
) -> Estimate:
    """The mean of one value a prompt over the mean of another, and its percentile interval.

    Both means are of the same prompts, those that have both values, and prompts are drawn with replacement together.

    Args:
        values: by prompt.
        others: by prompt; positive.
        level: the probability that the interval should cover the true ratio.
        rounds: how many resamples.

    Returns:
        `UNKNOWN` if no prompt has both; an unknown interval around the ratio of a single prompt.
    """
    pairs = np.array([(values[prompt], others[prompt]) for prompt in values if prompt in others])
    if not pairs.size or not pairs[:, 1].all():
        return UNKNOWN
    mean = float(pairs[:, 0].mean() / pairs[:, 1].mean())
    if len(pairs) == 1:
        return Estimate(mean, math.nan, math.nan, 1)
    totals = [pairs[drawn].sum(axis=1) for drawn in resamples(len(pairs), rounds, seed=0)]
    low, high = percentile_interval(np.concatenate([block[:, 0] / block[:, 1] for block in totals]), level)
    return Estimate(mean, low, high, len(pairs))


def _agreed(value: float, n: int, bounds: tuple[float, float] | None, level: float) -> tuple[float, float]:
    """The interval around a value that all `n` prompts have."""
    if bounds is None:
        return (math.nan, math.nan) if n < 2 else (value, value)
    unseen = 1 - ((1 - level) / 2) ** (1 / n)
    return value + unseen * (bounds[0] - value), value + unseen * (bounds[1] - value)
