"""Pairwise vote counts, the input of every ranking."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Outcome = Literal["left", "right", "tie"]
OUTCOMES: tuple[Outcome, ...] = ("left", "right", "tie")

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PairwiseVote:
    """One voter's choice between two contestants, by label."""

    voter: str
    left: str
    right: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PairCounts:
    """Counts of votes for V voters, P ordered pairs of contestants and the three outcomes.

    Args:
        contestants: labels, sorted.
        voters: pseudonyms, sorted.
        pairs: contestants left and right, by index, `(P, 2)`.
        voter: index of each row's voter, `(R,)`.
        pair: index of each row's pair, `(R,)`.
        counts: weighted votes for left, right and tie of this voter on this pair, `(R, 3)`.
    """

    contestants: tuple[str, ...]
    voters: tuple[str, ...]
    pairs: Int64Array
    voter: Int64Array
    pair: Int64Array
    counts: Float64Array

    @classmethod
    def of(cls, votes: Iterable[PairwiseVote], weight_cap: float | None = None) -> PairCounts:
        """Count pairwise votes.

        Args:
            votes: in any order.
            weight_cap: largest total weight of one voter's votes; None is no limit.
        """
        cast = list(votes)
        contestants = sorted({name for one in cast for name in (one.left, one.right)})
        voters = sorted({one.voter for one in cast})
        place = {name: index for index, name in enumerate(contestants)}
        voter_index = {name: index for index, name in enumerate(voters)}
        return cls.from_arrays(
            contestants=contestants,
            voters=voters,
            voter=np.array([voter_index[one.voter] for one in cast], dtype=np.int64),
            sides=np.array([(place[one.left], place[one.right]) for one in cast], dtype=np.int64).reshape(-1, 2),
            outcome=np.array([OUTCOMES.index(one.outcome) for one in cast], dtype=np.int64),
            weight_cap=weight_cap,
        )

    @classmethod
    def from_arrays(
        cls,
        *,
        contestants: Sequence[str],
        voters: Sequence[str],
        voter: Int64Array,
        sides: Int64Array,
        outcome: Int64Array,
        weight_cap: float | None = None,
    ) -> PairCounts:
        """Count N votes given by index: voters `(N,)`, left and right `(N, 2)`, outcomes in `OUTCOMES` `(N,)`.

        Raises:
            ValueError: the weight cap is not positive, or a contestant stands on both sides.
        """
        if weight_cap is not None and weight_cap <= 0:
            raise ValueError(f"a voter's weight must be positive, and {weight_cap} is not")
        if (sides[:, 0] == sides[:, 1]).any():
            raise ValueError("a contestant cannot meet itself")
        n = max(1, len(contestants))
        codes, pair = np.unique(sides[:, 0] * n + sides[:, 1], return_inverse=True)
        weights = np.ones(len(voter))
        if weight_cap is not None:
            weights = np.minimum(1, weight_cap / np.bincount(voter, minlength=len(voters)))[voter]
        keys, row = np.unique(voter * max(1, len(codes)) + pair, return_inverse=True)
        counts = np.bincount(row * 3 + outcome, weights, minlength=3 * len(keys)).reshape(-1, 3).astype(float)
        return cls(
            contestants=tuple(contestants),
            voters=tuple(voters),
            pairs=np.stack([codes // n, codes % n], axis=1),
            voter=keys // max(1, len(codes)),
            pair=keys % max(1, len(codes)),
            counts=counts,
        )

    @property
    def votes(self) -> float:
        """Total weight of all votes."""
        return float(self.counts.sum())

    def totals(self) -> Float64Array:
        """Votes of all voters together, `(P, 3)`."""
        size = len(self.pairs)
        counted = [np.bincount(self.pair, self.counts[:, outcome], size) for outcome in range(3)]
        return np.stack(counted, axis=1).astype(np.float64)

    def per_contestant(self) -> Float64Array:
        """Votes on each contestant, `(n,)`."""
        votes = self.totals().sum(axis=1)
        return np.bincount(self.pairs.ravel(), np.repeat(votes, 2), minlength=len(self.contestants)).astype(float)

    def wins(self) -> Float64Array:
        """Count how often the row's contestant beat the column's, `(n, n)`."""
        won = np.zeros((len(self.contestants),) * 2)
        total = self.totals()
        left, right = self.pairs.T
        np.add.at(won, (left, right), total[:, 0])
        np.add.at(won, (right, left), total[:, 1])
        return won

    def ties(self) -> Float64Array:
        """Count how often row and column tied, `(n, n)`, symmetric."""
        tied = np.zeros((len(self.contestants),) * 2)
        left, right = self.pairs.T
        np.add.at(tied, (left, right), self.totals()[:, 2])
        return tied + tied.T

    def win_rates(self) -> Float64Array:
        """Share of votes that the row's contestant won against the column's, `(n, n)`: ties are ½; nan if none."""
        won, tied = self.wins(), self.ties()
        met = won + won.T + tied
        return np.divide(won + tied / 2, met, out=np.full_like(met, np.nan), where=met > 0)

    def among(self, contestants: Collection[str]) -> PairCounts:
        """The votes between these contestants, and the voters who gave them."""
        kept = np.array([name in contestants for name in self.contestants], dtype=bool)
        pairs: NDArray[np.bool_] = kept[self.pairs[:, 0]] & kept[self.pairs[:, 1]]
        rows = np.flatnonzero(pairs[self.pair])
        voters, voter = np.unique(self.voter[rows], return_inverse=True)
        return PairCounts(
            contestants=tuple(name for name in self.contestants if name in contestants),
            voters=tuple(self.voters[index] for index in voters),
            pairs=(np.cumsum(kept) - 1)[self.pairs[pairs]],
            voter=voter,
            pair=(np.cumsum(pairs) - 1)[self.pair[rows]],
            counts=self.counts[rows],
        )

    def components(self) -> list[tuple[str, ...]]:
        """Connected components of contestants, most votes first; only contestants of one component are comparable."""
        votes = dict(zip(self.contestants, self.per_contestant(), strict=True))
        met = [(self.contestants[left], self.contestants[right]) for left, right in self.pairs]
        return sorted(connected(met), key=lambda group: -sum(votes[name] for name in group))


def connected(meetings: Iterable[Iterable[str]]) -> list[tuple[str, ...]]:
    """Connected components of the graph of meetings; names and components are sorted."""
    met = [list(names) for names in meetings]
    names = sorted({name for pair in met for name in pair})
    place = {name: index for index, name in enumerate(names)}
    ends = np.array([(place[pair[0]], place[pair[-1]]) for pair in met], dtype=np.int64).reshape(-1, 2)
    graph: Any = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
    count, labels = connected_components(graph, directed=False)
    return [tuple(name for name, label in zip(names, labels, strict=True) if label == group) for group in range(count)]
