"""Accounting of a run of voters: percentiles, and a check that each acknowledged vote is stored once."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Comparison of the stored votes with the acknowledged ones.

    Args:
        lost: acknowledged, but not in the store.
        doubled: battles with more than one vote in the store.
        repeated: battles whose vote was acknowledged more than once.
        unheard: stored, but not acknowledged, because the server was killed in between. This is not an error.
    """

    lost: int
    doubled: int
    repeated: int
    unheard: int

    @property
    def sound(self) -> bool:
        """True if every acknowledged vote is there exactly once."""
        return not (self.lost or self.doubled or self.repeated)


def account(acknowledged: Iterable[str], kept: Iterable[str]) -> Account:
    """Compare the battles of acknowledged votes with the battles of the votes in the store."""
    acknowledgements, there = Counter(acknowledged), Counter(kept)
    return Account(
        lost=len(acknowledgements.keys() - there.keys()),
        doubled=sum(count > 1 for count in there.values()),
        repeated=sum(count > 1 for count in acknowledgements.values()),
        unheard=len(there.keys() - acknowledgements.keys()),
    )


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """The median and the 95th and 99th percentiles, in the unit of the values; empty for fewer than two."""
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)}
