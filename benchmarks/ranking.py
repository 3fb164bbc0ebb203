"""What a ranking costs: ours, with its intervals, against evalica's bootstrap of the same votes.

    python -m benchmarks.ranking [--votes 10000,100000,1000000] [--rounds 20] [--json]

Both count the same votes from the same arrays, rank eight contestants and give intervals. Ours clusters by voter (the
sandwich, and the bootstrap over voters); evalica's resamples votes. Its time is measured for `--rounds` resamples and
given for one; ours for its 400. Memory is the peak of what Python allocated while it ran.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import evalica
import numpy as np

from hypersd.arena.strength import fit
from hypersd.arena.tally import Tally
from hypersd.arena.uncertainty import bootstrap, clustered

CONTESTANTS = 8
VOTERS = 2000
ROUNDS = 400


def votes(count: int) -> dict[str, Any]:
    """Random votes of 2,000 voters with ties and an effect of the side."""
    rng = np.random.default_rng(0)
    strengths = rng.normal(size=CONTESTANTS)
    left = rng.integers(0, CONTESTANTS, count)
    right = (left + rng.integers(1, CONTESTANTS, count)) % CONTESTANTS
    wins = rng.random(count) < 1 / (1 + np.exp(strengths[right] - strengths[left] - 0.1))
    outcome = np.where(rng.random(count) < 0.2, 2, np.where(wins, 0, 1))
    return {
        "voter": rng.integers(0, VOTERS, count),
        "sides": np.stack([left, right], axis=1),
        "outcome": outcome,
        "contestants": [f"m{index}" for index in range(CONTESTANTS)],
        "voters": [f"v{index}" for index in range(VOTERS)],
    }


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and the peak of allocated MiB (measured in a second run, since it slows the first)."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return seconds, peak


def theirs(given: dict[str, Any], rounds: int) -> Callable[[], object]:
    """The percentile bootstrap of evalica, of Bradley and Terry's model."""
    names = given["contestants"]
    lefts, rights = ([names[index] for index in side] for side in given["sides"].T)
    kinds = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    winners = [kinds[index] for index in given["outcome"]]
    return lambda: evalica.bootstrap(
        evalica.bradley_terry, lefts, rights, winners, n_resamples=rounds, bootstrap_method="percentile"
    )


def measure(count: int, rounds: int) -> dict[str, float]:
    """One line of the table."""
    given = votes(count)
    ranked, memory = measured(lambda: clustered(fit(Tally.from_arrays(**given))))
    tally = Tally.from_arrays(**given)
    resampled, _ = measured(lambda: bootstrap(fit(tally), rounds=ROUNDS))
    other, other_memory = measured(theirs(given, rounds))
    return {
        "votes": count,
        "ranking_seconds": ranked,
        "ranking_mib": memory,
        "our_seconds_a_resample": resampled / ROUNDS,
        "evalica_seconds_a_resample": other / rounds,
        "evalica_mib": other_memory,
        "ratio": (other / rounds) / (resampled / ROUNDS),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", default="10000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=20, help="resamples that evalica draws (default: 20)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(int(count), options.rounds) for count in options.votes.split(",")]
    if options.json:
        print(json.dumps(rows))
        return
    print("votes      fit + intervals   memory    a resample: ours   evalica    memory     ratio")
    for row in rows:
        print(
            f"{row['votes']:<10,.0f} {row['ranking_seconds']:>8.3f} s {row['ranking_mib']:>13.0f} MiB"
            f" {1000 * row['our_seconds_a_resample']:>14.2f} ms {1000 * row['evalica_seconds_a_resample']:>9.1f} ms"
            f" {row['evalica_mib']:>5.0f} MiB {row['ratio']:>8.0f}"
        )


if __name__ == "__main__":
    main()
