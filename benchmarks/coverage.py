"""Coverage of 95 % intervals in simulated arenas with known truth.

    python -m benchmarks.coverage [--worlds 500] [--json]

Each world has contestants of known strengths, voters with tastes of their own, an effect of the side, and ties. Over
all worlds and contestants it counts strengths in their intervals, differences of neighbours in theirs, the side's
effect in its, and ranks in theirs (which promise 95 % at least).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypersd.arena.ranking.confidence import clustered, difference_intervals
from hypersd.arena.ranking.counts import Float64Array, PairCounts
from hypersd.arena.ranking.davidson import fit
from hypersd.utils.estimates import LEVEL

SIDE = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An arena.

    Args:
        strengths: log-odds.
        voters: how many there are.
        votes: of all voters together.
        ties: ν, the weight of a tie between equals against a win.
        taste: standard deviation of each voter's own strengths around the common ones; the truth is then what very many
            voters of this kind say.
    """

    strengths: tuple[float, ...]
    voters: int
    votes: int
    ties: float = 0.5
    taste: float = 0.0

    def draw(self, rng: np.random.Generator, scale: int = 1) -> PairCounts:
        """Votes of this world; `scale` times as many of everything."""
        n, votes, voters = len(self.strengths), self.votes * scale, self.voters * scale
        voter = np.arange(votes) % voters
        left = rng.integers(0, n, votes)
        right = (left + rng.integers(1, n, votes)) % n
        own = np.array(self.strengths) + self.taste * rng.standard_normal((voters, n))
        gap = own[voter, left] - own[voter, right] + SIDE
        weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(votes, self.ties)], axis=1)
        outcome = (rng.random(votes)[:, None] * weights.sum(1, keepdims=True) > weights.cumsum(1)).sum(1)
        return PairCounts.from_arrays(
            contestants=[f"m{index}" for index in range(n)],
            voters=[f"v{index:07}" for index in range(voters)],
            voter=voter,
            sides=np.stack([left, right], axis=1),
            outcome=outcome,
        )

    def truth(self) -> tuple[Float64Array, float]:
        """Strengths of mean zero, and the side's effect."""
        if not self.taste:
            strengths = np.array(self.strengths, dtype=np.float64)
            return strengths - strengths.mean(), SIDE
        many = fit(self.draw(np.random.default_rng(99), 1 + 400_000 // self.votes))
        return many.theta, many.side


WORLDS = {
    "balanced": World(strengths=(0.6, 0.2, 0.0, -0.3, -0.5), voters=80, votes=1200, taste=0.7),
    "near-separable": World(strengths=(2.5, 1.5, -0.5, -3.5), voters=60, votes=180),
    "few voters": World(strengths=(0.6, 0.2, -0.2, -0.6), voters=6, votes=300, taste=0.5),
    "many ties": World(strengths=(0.6, 0.2, -0.2, -0.6), voters=60, votes=600, ties=12.0, taste=0.3),
}


def coverage(world: World, worlds: int, seed: int = 0) -> dict[str, float]:
    """The share of strengths, differences, sides and ranks that lie in their intervals."""
    rng, (truth, side) = np.random.default_rng(seed), world.truth()
    places = 1 + np.argsort(np.argsort(-truth))
    order = np.argsort(-truth)
    neighbours = np.stack([order[:-1], order[1:]], axis=1)
    gaps = truth[order[:-1]] - truth[order[1:]]
    held: dict[str, list[NDArray[np.bool_]]] = {"strengths": [], "differences": [], "side": [], "ranks": []}
    for _ in range(worlds):
        davidson_fit = fit(world.draw(rng))
        known = clustered(davidson_fit)
        low, high = difference_intervals(davidson_fit, neighbours, LEVEL)
        held["strengths"].append((known.low <= truth) & (truth <= known.high))
        held["differences"].append((low <= gaps) & (gaps <= high))
        held["side"].append(np.array([known.side[0] <= side <= known.side[1]]))
        held["ranks"].append((known.rank_low <= places) & (places <= known.rank_high))
    return {name: float(np.mean(parts)) for name, parts in held.items()}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = {name: coverage(world, options.worlds) for name, world in WORLDS.items()}
    if options.json:
        print(json.dumps(rows))
        return
    print("world            strengths  differences     side    ranks")
    for name, row in rows.items():
        print(
            f"{name:<16} {row['strengths']:>9.1%} {row['differences']:>12.1%} {row['side']:>8.1%} {row['ranks']:>8.1%}"
        )


if __name__ == "__main__":
    main()
