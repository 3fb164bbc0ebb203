"""The arena under load: many voters over HTTP against the running app while its models draw; and killed meanwhile.

    python -m benchmarks.arena_load [--voters 64,256] [--seconds 30] [--kills 0] [--still] [--comparers 0] [--json]
    python -m benchmarks.arena_load --voters 64 --replicas 1,2,4 [--share 0.1]

Each voter does what the page does, through the same door: is shown a battle, has fetched the next one meanwhile, thinks
two seconds, votes, and goes on to the next one when the vote is acknowledged, which says that it is shown and brings
the one after it. Timed are what a visitor waits for, the vote and the next pair; the fetching on its own, which nobody
waits for unless it takes longer than they think; and what both take inside of the server, by its own `Server-Timing`.
Voters come one after another, over ten seconds, and the timing begins when all are there.

With `--kills N` the server is killed without warning N times while they vote, and started again, which takes as long as
it takes; then every acknowledged vote must be in the store exactly once, and the pool and the board must still be
readable. The pool is filled first: by the app itself, as it always is. With `--still` nothing draws
(`benchmarks.arena_still`), so that the processor's time is that of votes alone. With `--comparers N` so many visitors
also compare models, one comparison after another. With `--replicas` the servers are that many, which draw nothing, on
one PostgreSQL behind nginx (`benchmarks.replicas`), and a kill is that of one replica; the processor's time of the
database and of nginx is given too. All of it shares one machine: a vote's time in each part transfers to larger ones,
the throughput does not, unless `--share` gives each replica so little of a core that the machine is not what limits it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.accounting import account, quantiles
from benchmarks.arena_voters import THINK_SECONDS, load
from benchmarks.replicas import Replicas, running_replicas
from benchmarks.served import PAGE, STILL, Server
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.store.store import Store

_POOL = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Load to measure; its fields are the options."""

    voters: int
    seconds: float
    kills: int
    replicas: int
    share: float | None
    comparers: int
    warm_up: float
    still: bool


@contextmanager
def serving(folder: Path, scenario: Scenario) -> Generator[tuple[Server | Replicas, Store]]:
    """Servers with a filled pool and their store, while they run; no replicas are one server on SQLite."""
    if scenario.replicas:
        with running_replicas(folder, scenario.replicas, share=scenario.share) as cluster:
            yield cluster, Store(cluster.url_of_votes)
        return
    server = Server(folder, STILL if scenario.still else PAGE)
    server.start()
    try:
        store = Store(f"sqlite:///{folder}/arena.sqlite")
        while store.pairs.pool_size(None) < _POOL:
            time.sleep(1)
        yield server, store
    finally:
        server.kill()


def measure(scenario: Scenario) -> dict[str, Any]:
    """One run on a fresh store."""
    kills = scenario.kills
    with (
        tempfile.TemporaryDirectory(prefix="hypersd-load-", ignore_cleanup_errors=True) as folder,
        serving(Path(folder), scenario) as (server, store),
    ):
        before, start = processor_times(server), time.monotonic()
        voters = load(
            server,
            scenario.voters,
            scenario.seconds,
            kills,
            comparers=scenario.comparers,
            warm_up=scenario.warm_up,
        )
        seen = asyncio.run(voters)
        used, peak, took = processor_times(server), server.memory_mib("VmHWM"), time.monotonic() - start
        kept = list(store.votes())
        accounts = account(seen.acknowledged, [vote.battle.id for vote in kept])
        leaderboard, pool = compute_leaderboard(kept), store.pairs.pool_size(None)
        store.engine.dispose()
    votes = max(1, len(seen.acknowledged))
    each = {name: None if kills else round((used[name] - before[name]) / votes, 1) for name in used}
    return {
        "voters": scenario.voters,
        "replicas": scenario.replicas,
        "share": scenario.share,
        "votes": len(seen.acknowledged),
        "seconds": round(took, 1),
        "votes_per_second": seen.votes_per_second,
        "vote_ms": quantiles(seen.vote_ms),
        "next_pair_ms": quantiles(seen.next_ms),
        "fetched_ms": quantiles(seen.draw_ms),
        "server_vote_ms": quantiles(seen.server_vote_ms),
        "server_fetched_ms": quantiles(seen.server_draw_ms),
        "comparisons": seen.comparisons,
        "kills": kills,
        **each,
        "server_peak_mib": round(peak),
        "server_mib": seen.memory_mib,
        **asdict(accounts),
        "sound": accounts.sound and leaderboard.votes == len(kept),
        "board": leaderboard.problem or f"{len(leaderboard.standings)} standings of {leaderboard.votes} votes",
        "pool": pool,
        "refused": dict(seen.refused),
    }


def processor_times(server: Server | Replicas) -> dict[str, float]:
    """Milliseconds of the processor so far: of the servers and, with replicas, of the database and nginx."""
    own = {"server_cpu_ms_a_vote": server.cpu_ms()}
    if isinstance(server, Server):
        return own
    return own | {"database_cpu_ms_a_vote": server.database_cpu_ms(), "nginx_cpu_ms_a_vote": server.proxy_cpu_ms()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voters", default="64,256", help="how many at once, in one run after another")
    parser.add_argument("--seconds", type=float, default=30, help="of a run without kills")
    parser.add_argument(
        "--warm-up",
        type=float,
        default=THINK_SECONDS,
        help="seconds until the timing begins, when all voters are there; 30 where a replica is slow by --share",
    )
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--still", action="store_true", help="the arena's routes alone: no page, no models")
    parser.add_argument("--comparers", type=int, default=0, help="visitors who compare models meanwhile")
    parser.add_argument("--replicas", default="0", help="numbers of servers on one PostgreSQL behind nginx")
    parser.add_argument("--share", type=float, help="of one core that each of the replicas gets (needs root)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.share and options.kills:
        parser.error("a replica that is started again gets more than its --share; leave out --kills")
    for voters, replicas in product(map(int, options.voters.split(",")), map(int, options.replicas.split(","))):
        scenario = Scenario(
            voters=voters,
            seconds=options.seconds,
            kills=options.kills,
            replicas=replicas,
            share=options.share,
            comparers=options.comparers,
            warm_up=options.warm_up,
            still=options.still,
        )
        measurements = measure(scenario)
        if options.json:
            print(json.dumps(measurements))
            continue
        for name, value in measurements.items():
            print(f"{name:>20}: {value}")


if __name__ == "__main__":
    main()
