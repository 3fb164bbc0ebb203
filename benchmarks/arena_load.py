"""The arena under load: many voters over HTTP against the running app while its models draw; and killed meanwhile.

    python -m benchmarks.arena_load [--voters 64,256] [--seconds 30] [--kills 0] [--still] [--comparers 0] [--json]
    python -m benchmarks.arena_load --voters 64 --replicas 1,2,4

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
the throughput does not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import httpx
from gradio_client import Client
from gradio_client.exceptions import AppError

from benchmarks.accounting import account, quantiles
from benchmarks.replicas import Replicas, running_replicas
from benchmarks.served import PAGE, STILL, Server
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.store.store import Store

THINK_SECONDS = 2.0
_ARRIVAL_SECONDS = 10.0
_POOL = 40
_PATIENCE_SECONDS = 120.0
_SAMPLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a request, None if it was refused, and its milliseconds: for the client, and in the server."""

    answer: Any
    ms: float
    server_ms: float


@dataclass
class Seen:
    """Answers that the voters saw."""

    vote_ms: list[float] = field(default_factory=list[float])
    next_ms: list[float] = field(default_factory=list[float])
    draw_ms: list[float] = field(default_factory=list[float])
    server_vote_ms: list[float] = field(default_factory=list[float])
    server_draw_ms: list[float] = field(default_factory=list[float])
    acknowledged: list[str] = field(default_factory=list[str])
    votes_per_second: float | None = None
    comparisons: int = 0
    memory_mib: list[int] = field(default_factory=list[int])
    refused: Counter[str] = field(default_factory=Counter[str])
    news: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])

    def begin(self) -> None:
        """Discard the times measured so far."""
        for times in (self.vote_ms, self.next_ms, self.draw_ms, self.server_vote_ms, self.server_draw_ms):
            times.clear()


async def voter(
    server: Server | Replicas, seen: Seen, over: asyncio.Event, rng: random.Random, trust: ssl.SSLContext
) -> None:
    """One visitor, with random pauses."""
    token = secrets.token_hex(16)
    await asyncio.sleep(rng.uniform(0, _ARRIVAL_SECONDS))
    async with httpx.AsyncClient(base_url=server.url, headers={"x-voter": token}, timeout=30, verify=trust) as http:
        while not over.is_set():
            try:
                await rounds(http, seen, over, rng)
            except httpx.HTTPError as error:  # the server was killed
                seen.refused[type(error).__name__] += 1
                await asyncio.sleep(0.5)


async def rounds(http: httpx.AsyncClient, seen: Seen, over: asyncio.Event, rng: random.Random) -> None:
    """Vote until the run is over; errors of the connection are raised."""
    battle: Any = None
    fetched: Any = None
    shown = False
    while not over.is_set():
        if not battle or not battle.get("battle"):
            battle, fetched, shown = (await ask(http, seen, "draw", {})).answer, None, False
            if not battle or not battle.get("battle"):
                await asyncio.sleep(0.5)
            continue
        ahead = None if fetched else asyncio.create_task(ask(http, seen, "draw", {"besides": battle["battle"]}))
        try:
            if not shown:
                await ask(http, seen, "show", {"battle": battle["battle"]})
            await asyncio.sleep(rng.uniform(0.5, 1.5) * THINK_SECONDS)
            clicked = time.perf_counter()
            known = fetched or (ahead.result().answer if ahead and ahead.done() else None)
            following = known["battle"] if known else None
            words = {"battle": battle["battle"], "choice": rng.choice(["left", "right", "tie"]), "decision_ms": 2000}
            vote = await ask(http, seen, "vote", words | ({"shown": following} if following else {}))
            if vote.answer:
                seen.acknowledged.append(battle["battle"])
                seen.news.put_nowait(battle["battle"])
            drawn = await ahead if ahead else None
        finally:
            if ahead:
                ahead.cancel()
        battle = drawn.answer if drawn else fetched
        if vote.answer and battle:
            seen.vote_ms.append(vote.ms)
            seen.next_ms.append(1000 * (time.perf_counter() - clicked))
            seen.server_vote_ms.append(vote.server_ms)
            if drawn:
                seen.draw_ms.append(drawn.ms)
                seen.server_draw_ms.append(drawn.server_ms)
        shown, fetched = bool(vote.answer and vote.answer.get("shown")), vote.answer and vote.answer.get("ahead")


async def ask(http: httpx.AsyncClient, seen: Seen, name: str, words: dict[str, Any]) -> Answer:
    """Send a request to the arena."""
    start = time.perf_counter()
    answer = await http.post(f"/arena/{name}", json=words)
    took = 1000 * (time.perf_counter() - start)
    inside = float(answer.headers.get("server-timing", "dur=nan").rpartition("=")[2])
    if not answer.is_success:
        seen.refused[f"{name} {answer.status_code}"] += 1
    return Answer(answer.json() if answer.is_success else None, took, inside)


async def load(server: Server | Replicas, voters: int, seconds: float, kills: int, comparers: int = 0) -> Seen:
    """Run all voters for the given seconds or, with kills, until all kills are done and votes succeed again."""
    seen, rng, over = Seen(), random.Random(0), asyncio.Event()
    trust = httpx.create_ssl_context()  # once: reading the certificates would keep all the others waiting each time
    people = [asyncio.create_task(voter(server, seen, over, random.Random(number), trust)) for number in range(voters)]
    others = [asyncio.create_task(comparer(server.url, over, seen, seed)) for seed in range(comparers)]
    others.append(asyncio.create_task(sample_memory(server, seen, over)))
    for _ in range(kills):
        await under_way(seen, voters)
        await asyncio.sleep(rng.uniform(0, 2 * THINK_SECONDS))
        server.kill()
        await asyncio.to_thread(server.start)
    await (under_way(seen, voters) if kills else steady(seen, seconds))
    over.set()
    await asyncio.gather(*people, *others)
    return seen


async def comparer(url: str, over: asyncio.Event, seen: Seen, seed: int) -> None:
    """One visitor of the Compare tab's endpoint."""
    client = await asyncio.to_thread(Client, url, verbose=False, download_files=False)
    while not over.is_set():
        words = ["a big cat", seed, "emoji", ["hyper", "turbo"], []]
        try:
            await asyncio.to_thread(client.predict, *words, api_name="/compare")
            seen.comparisons += 1
        except (AppError, OSError, httpx.HTTPError) as error:
            seen.refused[f"compare {type(error).__name__}"] += 1
            await asyncio.sleep(0.5)


async def sample_memory(server: Server | Replicas, seen: Seen, over: asyncio.Event) -> None:
    """Record the servers' memory at intervals."""
    while not over.is_set():
        with suppress(OSError, ValueError):  # a server was killed
            seen.memory_mib.append(round(server.memory_mib()))
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _SAMPLE_SECONDS)


async def steady(seen: Seen, seconds: float) -> None:
    """Return when all voters have come and were timed for so many seconds."""
    await asyncio.sleep(_ARRIVAL_SECONDS + THINK_SECONDS)
    seen.begin()
    await asyncio.sleep(seconds)
    seen.votes_per_second = round(len(seen.vote_ms) / seconds, 1)


async def under_way(seen: Seen, voters: int) -> None:
    """Return when half as many votes as there are voters were acknowledged from now on: the server is under load."""
    seen.news = asyncio.Queue()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        for _ in range(voters // 2):
            await seen.news.get()


@contextmanager
def serving(folder: Path, replicas: int, *, still: bool) -> Generator[tuple[Server | Replicas, Store]]:
    """Servers with a filled pool and their store, while they run; `replicas` of 0 is one server on SQLite."""
    if replicas:
        with running_replicas(folder, replicas) as cluster:
            yield cluster, Store(cluster.url_of_votes)
        return
    server = Server(folder, STILL if still else PAGE)
    server.start()
    try:
        store = Store(f"sqlite:///{folder}/arena.sqlite")
        while store.pairs.pool_size(None) < _POOL:
            time.sleep(1)
        yield server, store
    finally:
        server.kill()


def measure(voters: int, seconds: float, kills: int, replicas: int, comparers: int, *, still: bool) -> dict[str, Any]:
    """One run on a fresh store."""
    with (
        tempfile.TemporaryDirectory(prefix="hypersd-load-", ignore_cleanup_errors=True) as folder,
        serving(Path(folder), replicas, still=still) as (server, store),
    ):
        before, start = processor_times(server), time.monotonic()
        seen = asyncio.run(load(server, voters, seconds, kills, comparers))
        used, peak, took = processor_times(server), server.memory_mib("VmHWM"), time.monotonic() - start
        kept = list(store.votes())
        accounts = account(seen.acknowledged, [vote.battle.id for vote in kept])
        leaderboard, pool = compute_leaderboard(kept), store.pairs.pool_size(None)
        store.engine.dispose()
    votes = max(1, len(seen.acknowledged))
    each = {name: None if kills else round((used[name] - before[name]) / votes, 1) for name in used}
    return {
        "voters": voters,
        "replicas": replicas,
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
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--still", action="store_true", help="the arena's routes alone: no page, no models")
    parser.add_argument("--comparers", type=int, default=0, help="visitors who compare models meanwhile")
    parser.add_argument("--replicas", default="0", help="numbers of servers on one PostgreSQL behind nginx")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs = product(map(int, options.voters.split(",")), map(int, options.replicas.split(",")))
    for voters, replicas in runs:
        given = voters, options.seconds, options.kills, replicas, options.comparers
        measurements = measure(*given, still=options.still)
        if options.json:
            print(json.dumps(measurements))
            continue
        for name, value in measurements.items():
            print(f"{name:>20}: {value}")


if __name__ == "__main__":
    main()
