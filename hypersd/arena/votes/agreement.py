"""Agreement of voters: with each other, and with themselves."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from hypersd.utils.estimates import LEVEL, Estimate, percentile_interval, resamples


@dataclass(frozen=True, slots=True)
class Rating:
    """Label given by one voter to one item."""

    item: Hashable
    voter: str
    label: Hashable


def krippendorff(ratings: Iterable[Rating]) -> float:
    """Krippendorff's α for nominal data: 1 is perfect agreement, 0 is chance; nan if no item was rated twice.

    α = 1 − (n − 1)·(n − Σ_c o_cc) / (n² − Σ_c n_c²), o the coincidence matrix and n_c its sums (Krippendorff 2011).
    """
    coincidences = Coincidences.of(*_encoded(ratings))
    return coincidences.alpha(np.ones(coincidences.items))


@dataclass(frozen=True, slots=True, eq=False)
class Coincidences:
    """Coincidences of the labels within each item that was rated twice or more.

    Args:
        labels: count of each label for each item, sparse, `(items, labels)`.
        agreeing: contribution of each item to the diagonal of the coincidence matrix, `(items,)`.
    """

    labels: Any
    agreeing: NDArray[np.float64]

    @classmethod
    def of(cls, item: NDArray[np.int64], label: NDArray[np.int64]) -> Coincidences:
        """Build from ratings as indices of items and labels, `(N,)` each; no rater rates an item twice."""
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
        """Krippendorff's α with item weights `(items,)`."""
        totals = weights @ self.labels
        n = totals.sum()
        by_chance = n * n - np.square(totals).sum()
        return 1 - (n - 1) * (n - weights @ self.agreeing) / by_chance if by_chance else math.nan

    def interval(self, rounds: int, seed: int = 0, level: float = LEVEL) -> Estimate:
        """α with a bootstrap interval over items."""
        value = self.alpha(np.ones(self.items))
        draws = np.array([self.alpha(self._times(items)) for items in self._resamples(rounds, seed)])
        known = draws[~np.isnan(draws)]
        low, high = percentile_interval(known, level) if len(known) else (math.nan, math.nan)
        return Estimate(float(value), low, high, self.items)

    def _resamples(self, rounds: int, seed: int) -> Iterator[NDArray[np.int64]]:
        if self.items:
            for block in resamples(self.items, rounds, seed):
                yield from block

    def _times(self, drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        """Number of times that each item was drawn, `(items,)`."""
        return np.bincount(drawn, minlength=self.items).astype(np.float64)


def _encoded(ratings: Iterable[Rating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    items: dict[Hashable, int] = {}
    labels: dict[Hashable, int] = {}
    rows = [(items.setdefault(r.item, len(items)), labels.setdefault(r.label, len(labels))) for r in ratings]
    codes = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return codes[:, 0], codes[:, 1]
