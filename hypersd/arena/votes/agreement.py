"""Agreement of voters: with each other, and with themselves."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.stats import norm

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """A share and its interval; nan where there is nothing to count."""

    value: float
    low: float
    high: float
    n: int


def wilson(count: int, n: int, level: float = LEVEL) -> Share:
    """A share with the interval of Wilson 1927, which keeps its level for small n and near 0 and 1.

    Raises:
        ValueError: the count is not between 0 and n.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is no share")
    if n == 0:
        return Share(float("nan"), float("nan"), float("nan"), 0)
    return Share(count / n, *_wilson(count, n, level), n)


def _wilson(count: float, n: float, level: float) -> tuple[float, float]:
    z = float(norm.ppf(0.5 + level / 2))
    middle = (count + z * z / 2) / (n + z * z)
    reach = z * math.sqrt(count * (n - count) / n + z * z / 4) / (n + z * z)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def clustered_wilson(voters: Sequence[tuple[int, int]], level: float = LEVEL) -> Share:
    """A share of the votes of several voters, `(count, n)` for each, whose own votes resemble each other.

    Wilson's interval for as many votes as would say as much if each was another person's: n / deff, where the design
    effect deff is the share's variance between voters over that of independent votes (Korn and Graubard 1998), at
    least 1. The votes of one voter alone say as much as one vote. `n` is the number of votes all the same.

    Raises:
        ValueError: a count is not between 0 and its n.
    """
    count, n = sum(one for one, _ in voters), sum(of for _, of in voters)
    plain = wilson(count, n, level)
    if n == 0:
        return plain
    if not all(0 <= one <= of for one, of in voters):
        raise ValueError("a voter's count is no share of their votes")
    share = (count + 2) / (n + 4)  # drawn to the middle a little, so that unanimous voters have a variance too
    groups = len(voters)
    between = sum((one - share * of) ** 2 for one, of in voters) * groups / (groups - 1) if groups > 1 else math.inf
    effect = min(max(1.0, between / (n * share * (1 - share))), n)
    low, high = _wilson(count / effect, n / effect, level)
    return Share(plain.value, low, high, n)


@dataclass(frozen=True, slots=True)
class Rating:
    """Label that one voter gave to one item."""

    item: Hashable
    voter: str
    label: Hashable


def krippendorff(ratings: Iterable[Rating]) -> float:
    """Krippendorff's α for names (nominal data): 1 is perfect agreement, 0 what chance gives; nan if nothing overlaps.

    α = 1 − (n − 1)·(n − Σ_c o_cc) / (n² − Σ_c n_c²), o the coincidence matrix and n_c its sums (Krippendorff 2011).
    """
    coincidences = Coincidences.of(*_encoded(ratings))
    return coincidences.alpha(np.ones(coincidences.items))


def krippendorff_interval(ratings: Iterable[Rating], rounds: int = 400, seed: int = 0, level: float = LEVEL) -> Share:
    """The same with an interval: items are drawn with replacement."""
    return Coincidences.of(*_encoded(ratings)).interval(rounds, seed, level)


@dataclass(frozen=True, slots=True, eq=False)
class Coincidences:
    """Coincidences of the labels within each item that was rated twice or more.

    Args:
        labels: how often each label was given to each item, sparse, `(items, labels)`.
        agreeing: each item's part in the diagonal of the coincidence matrix, `(items,)`.
    """

    labels: Any
    agreeing: NDArray[np.float64]

    @classmethod
    def of(cls, item: NDArray[np.int64], label: NDArray[np.int64]) -> Coincidences:
        """Of ratings by index: items and labels, `(N,)` each; no rater rates an item twice."""
        ratings = np.bincount(item)
        several = ratings[item] > 1
        _, row = np.unique(item[several], return_inverse=True)
        shape = (int(row.max(initial=-1)) + 1, int(label.max(initial=-1)) + 1)
        counts = coo_array((np.ones(len(row)), (row, label[several])), shape=shape).tocsr()
        counts.sum_duplicates()
        pairs = counts.multiply(counts).sum(axis=1) - counts.sum(axis=1)
        return cls(counts, np.asarray(pairs / np.maximum(1, counts.sum(axis=1) - 1)).ravel())

    @property
    def items(self) -> int:
        """Number of items that were rated twice or more."""
        return len(self.agreeing)

    def alpha(self, weights: NDArray[np.float64]) -> float:
        """Krippendorff's α, each item counted as often as its weight says, `(items,)`."""
        totals = weights @ self.labels
        n = totals.sum()
        by_chance = n * n - np.square(totals).sum()
        return 1 - (n - 1) * (n - weights @ self.agreeing) / by_chance if by_chance else math.nan

    def interval(self, rounds: int, seed: int = 0, level: float = LEVEL) -> Share:
        """α with an interval: items are drawn with replacement."""
        rng, items = np.random.default_rng(seed), self.items
        draws = np.array([self.alpha(_drawn(rng, items)) for _ in range(rounds)] if items else [])
        known = draws[~np.isnan(draws)]
        value = float(self.alpha(np.ones(items)))
        if not len(known):
            return Share(value, math.nan, math.nan, items)
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return Share(value, float(low), float(high), items)


def _drawn(rng: np.random.Generator, items: int) -> NDArray[np.float64]:
    """Draw items with replacement, and count the draws of each, `(items,)`."""
    return np.bincount(rng.integers(items, size=items), minlength=items).astype(np.float64)


def _encoded(ratings: Iterable[Rating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    items: dict[Hashable, int] = {}
    labels: dict[Hashable, int] = {}
    rows = [(items.setdefault(r.item, len(items)), labels.setdefault(r.label, len(labels))) for r in ratings]
    codes = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return codes[:, 0], codes[:, 1]
