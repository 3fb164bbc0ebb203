"""Whether voters agree: with each other, and with themselves."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
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
    """What one voter said of one item."""

    item: Hashable
    voter: str
    label: Hashable


def krippendorff(ratings: Iterable[Rating]) -> float:
    """Krippendorff's α for names (nominal data): 1 is perfect agreement, 0 what chance gives; nan if nothing overlaps.

    α = 1 − (n − 1)·(n − Σ_c o_cc) / (n² − Σ_c n_c²), o the coincidence matrix and n_c its sums (Krippendorff 2011).
    """
    return _alpha(list(_by_item(ratings).values()))


def krippendorff_interval(ratings: Iterable[Rating], rounds: int = 400, seed: int = 0, level: float = LEVEL) -> Share:
    """The same with an interval: items are drawn with replacement."""
    items = list(_by_item(ratings).values())
    rng = np.random.default_rng(seed)
    draws = [_alpha([items[index] for index in rng.integers(len(items), size=len(items))]) for _ in range(rounds)]
    known = [draw for draw in draws if not np.isnan(draw)]
    if not known:
        return Share(_alpha(items), float("nan"), float("nan"), len(items))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Share(_alpha(items), float(low), float(high), len(items))


def _by_item(ratings: Iterable[Rating]) -> dict[Hashable, list[Hashable]]:
    """The labels of each item that was rated twice or more."""
    items: dict[Hashable, list[Hashable]] = defaultdict(list)
    for rating in ratings:
        items[rating.item].append(rating.label)
    return {item: labels for item, labels in items.items() if len(labels) > 1}


def _alpha(items: Sequence[Sequence[Hashable]]) -> float:
    totals: Counter[Hashable] = Counter()
    agreeing = 0.0
    for labels in items:
        counts = Counter(labels)
        totals.update(counts)
        agreeing += sum(count * (count - 1) for count in counts.values()) / (len(labels) - 1)
    n = sum(totals.values())
    by_chance = n * n - sum(count * count for count in totals.values())
    if not by_chance:
        return float("nan")
    return 1 - (n - 1) * (n - agreeing) / by_chance
