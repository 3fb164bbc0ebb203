"""Estimates with intervals: of shares, from independent or clustered votes, and by the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""Level of all reported intervals."""

_BLOCK = 2**20
"""Number of indices drawn at once, 8 MB."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its interval, and the number of observations; NaN if there are no observations."""

    value: float
    low: float
    high: float
    n: int

    @property
    def reach(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2

    @property
    def known(self) -> bool:
        """True if the value is not NaN."""
        return not math.isnan(self.value)


UNKNOWN = Estimate(math.nan, math.nan, math.nan, 0)
"""Estimate without observations."""


def wilson(count: int, n: int, level: float = LEVEL) -> Estimate:
    """A share with Wilson's interval (1927), which has the right coverage for small n and near 0 and 1.

    Raises:
        ValueError: the count is not between 0 and n.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is not a share: the count must be between 0 and {n}")
    if n == 0:
        return UNKNOWN
    return Estimate(count / n, *_wilson(count, n, level), n)


def _wilson(count: float, n: float, level: float) -> tuple[float, float]:
    z = NormalDist().inv_cdf(0.5 + level / 2)
    middle = (count + z * z / 2) / (n + z * z)
    reach = z * math.sqrt(count * (n - count) / n + z * z / 4) / (n + z * z)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def clustered_wilson(voters: Sequence[tuple[int, int]], level: float = LEVEL) -> Estimate:
    """A share of the votes of several voters, `(count, n)` for each, whose own votes are correlated.

    Wilson's interval for the effective number of votes n / deff, where the design effect deff is the share's variance
    between voters divided by that of independent votes (Korn and Graubard 1998), at least 1. The votes of a single
    voter count as one vote. The reported `n` is the number of all votes.

    Raises:
        ValueError: a count is not between 0 and its n.
    """
    count, n = sum(chosen for chosen, _ in voters), sum(of for _, of in voters)
    plain = wilson(count, n, level)
    if n == 0:
        return plain
    if not all(0 <= chosen <= of for chosen, of in voters):
        raise ValueError("a voter's count is not a share of their votes")
    share = (count + 2) / (n + 4)  # shrunk towards one half, so that unanimous voters have a variance too
    groups = len(voters)
    between = (
        sum((chosen - share * of) ** 2 for chosen, of in voters) * groups / (groups - 1) if groups > 1 else math.inf
    )
    effect = min(max(1.0, between / (n * share * (1 - share))), n)
    low, high = _wilson(count / effect, n / effect, level)
    return Estimate(plain.value, low, high, n)


def resamples(n: int, rounds: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Indices of `n` observations drawn with replacement, `rounds` times, in blocks `(b, n)` of bounded size.

    The same seed draws the same indices for every block size.
    """
    rng = np.random.default_rng(seed)
    at_once = max(1, _BLOCK // n)
    for start in range(0, rounds, at_once):
        yield rng.integers(n, size=(min(at_once, rounds - start), n))


def percentile_interval(draws: NDArray[np.floating[Any]], level: float = LEVEL) -> tuple[float, float]:
    """Ends of the central interval that contains a share `level` of the resampled values `(rounds,)` (Efron 1979)."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
