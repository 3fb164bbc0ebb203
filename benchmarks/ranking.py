"""Cost of a ranking, from Parquet to the leaderboard, compared with evalica's bootstrap of the same votes.

    python -m benchmarks.ranking [--votes 10000,100000,1000000] [--voters 100000] [--contestants 50] [--rounds 5]

Ours is all that `rank --votes FILE --json` does: the votes are read, checked, cleaned, counted and ranked, with
intervals clustered by voter, what leaving out any one voter changes, agreement and settled pairs. It runs in a process
of its own, whose peak of resident memory is given with all libraries in it. evalica resamples votes that are in memory
already, and gives intervals only. Its time is measured for `--rounds` resamples; the ratio is that of 400 of them, as
many as the ends of an interval want, to our whole board.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import evalica
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hypersd.arena.dataset.formats import FEATURES

ROUNDS = 400
_CHILD = """
import json, sys, time
start = time.perf_counter()
from hypersd.arena.ranking.leaderboard import compute_families
from hypersd.arena.dataset.reading import read_columns
from hypersd.arena.ranking.filters import VoteFilter
imported = time.perf_counter()
votes = read_columns(sys.argv[1])
read = time.perf_counter()
(board,) = compute_families(votes, VoteFilter()).values()
json.dumps(board.as_dict())
done = time.perf_counter()
assert not board.problem and board.kept and board.influence and board.standings
status = open("/proc/self/status").read()  # not getrusage, which knows the parent's peak too
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps({"kept": board.kept, "import": imported - start, "read": read - imported,
    "rank": done - read, "seconds": done - start, "cpu": time.process_time(), "mib": peak}))
"""


def votes(count: int, voters: int, contestants: int) -> dict[str, Any]:
    """Random votes with ties and an effect of the side."""
    rng = np.random.default_rng(0)
    strengths = rng.normal(size=contestants)
    left = rng.integers(0, contestants, count)
    right = (left + rng.integers(1, contestants, count)) % contestants
    wins = rng.random(count) < 1 / (1 + np.exp(strengths[right] - strengths[left] - 0.1))
    outcome = np.where(rng.random(count) < 0.2, 2, np.where(wins, 0, 1))
    return {"voter": rng.integers(0, voters, count), "left": left, "right": right, "outcome": outcome}


def write(file: Path, given: dict[str, Any]) -> None:
    """The votes as an export of the arena format writes them, but for the pictures' bytes, which no ranking reads."""
    count, rng = len(given["voter"]), np.random.default_rng(1)
    schema = FEATURES["arena"].arrow_schema
    labels = np.array([f"toy/model-{index}@4" for index in range(1 + max(given["left"].max(), given["right"].max()))])
    pairs = rng.integers(0, max(1, count // 3), count)
    start = np.datetime64("2026-01-01T00:00:00", "us").astype(np.int64)
    moments = pa.array(start + np.arange(count) * 1_000_000).cast(pa.timestamp("us", "UTC"))
    columns: dict[str, Any] = {name: pa.nulls(count, schema.field(name).type) for name in schema.names}
    columns |= {
        "vote_id": [f"{index:032x}" for index in range(count)],
        "battle_id": [f"{index:032x}" for index in rng.permutation(count)],
        "pair_id": [f"{index:032x}" for index in pairs],
        "prompt": [f"a prompt of some twenty words, the number {index}" for index in pairs % 5000],
        "voter": [f"{index:024x}" for index in given["voter"]],
        "choice": np.array(["left", "right", "tie"])[given["outcome"]],
        "model_a": labels[given["left"]],
        "model_b": labels[given["right"]],
        "picture_a": [f"{index:064x}" for index in 2 * pairs],
        "picture_b": [f"{index:064x}" for index in 2 * pairs + 1],
        "swapped": rng.random(count) < 0.5,
        "seed": rng.integers(0, 2**31, count),
        "decision_ms": rng.integers(800, 20000, count),
        "seconds_a": rng.uniform(0.1, 5, count),
        "seconds_b": rng.uniform(0.1, 5, count),
        **dict.fromkeys(("calls_a", "calls_b"), np.full(count, 4)),
        **dict.fromkeys(("created", "drawn", "shown", "expires", "voted"), moments),
        "probability": np.full(count, 0.01),
    }
    fixed = {"prompt_set": "toy-v1", "kind": "human", "purpose": "open", "input": "key", "device": "cpu"}
    fixed |= {"version_a": "1", "version_b": "1", "gates": "{}", "software": '{"torch": "2"}'}
    columns |= {name: pa.repeat(text, count) for name, text in fixed.items()}
    pq.write_table(pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}), file)


def ours(given: dict[str, Any]) -> dict[str, float]:
    """Seconds of each part, and the peak of resident memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "votes.parquet"
        write(file, given)
        done = subprocess.run([sys.executable, "-c", _CHILD, str(file)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def peer(given: dict[str, Any], rounds: int) -> float:
    """Seconds of one resample of evalica's percentile bootstrap of Bradley and Terry's model."""
    names = [f"m{index}" for index in range(1 + max(given["left"].max(), given["right"].max()))]
    lefts, rights = ([names[index] for index in given[side]] for side in ("left", "right"))
    kinds = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    winners = [kinds[index] for index in given["outcome"]]
    start = time.perf_counter()
    method: Any = evalica.bradley_terry  # its own annotations do not agree with those of its bootstrap
    evalica.bootstrap(method, lefts, rights, winners, n_resamples=rounds, bootstrap_method="percentile")
    return (time.perf_counter() - start) / rounds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", default="10000,100000,1000000")
    parser.add_argument("--voters", type=int, default=100_000, help="at most (default: 100,000)")
    parser.add_argument("--contestants", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5, help="resamples that evalica draws (default: 5)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[dict[str, float]] = []
    for count in map(int, options.votes.split(",")):
        given = votes(count, min(options.voters, count), options.contestants)
        row = {"votes": count, **ours(given), "evalica_seconds_a_resample": peer(given, options.rounds)}
        rows.append(row | {"ratio": ROUNDS * row["evalica_seconds_a_resample"] / row["seconds"]})
    if options.json:
        print(json.dumps(rows))
        return
    print(
        "votes       import     read     rank    in all        CPU     memory  evalica: a resample  400 of them / ours"
    )
    for row in rows:
        print(
            f"{row['votes']:<10,.0f} {row['import']:>5.1f} s {row['read']:>6.1f} s {row['rank']:>6.1f} s"
            f" {row['seconds']:>7.1f} s"
            f" {row['cpu']:>9.1f} s {row['mib']:>6.0f} MiB {1000 * row['evalica_seconds_a_resample']:>17.1f} ms"
            f" {row['ratio']:>20.1f}"
        )


if __name__ == "__main__":
    main()
