"""Voters of a benchmark, who do over HTTP what the page does; and visitors who compare models."""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from gradio_client import Client
from gradio_client.exceptions import AppError

from benchmarks.replicas import Replicas
from benchmarks.served import Server

THINK_SECONDS = 2.0
_ARRIVAL_SECONDS = 10.0
_PATIENCE_SECONDS = 120.0
_SAMPLE_SECONDS = 10.0
_IDLE = httpx.Limits(keepalive_expiry=4)
"""Connections that were idle for longer are not used again: the server closes them after 5 seconds, httpx's default."""


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
    headers = {"x-voter": token}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30, verify=trust, limits=_IDLE) as http:
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


async def load(
    server: Server | Replicas,
    voters: int,
    seconds: float,
    kills: int,
    *,
    comparers: int = 0,
    warm_up: float = THINK_SECONDS,
) -> Seen:
    """Run all voters for the given seconds or, with kills, until all kills are done and votes succeed again.

    Args:
        server: that they ask.
        voters: how many come, one after another.
        seconds: of the measurement, without kills.
        kills: how often the server is killed.
        comparers: visitors who compare models meanwhile.
        warm_up: seconds from the last voter's coming to the measurement.
    """
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
    await (under_way(seen, voters) if kills else steady(seen, seconds, warm_up))
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


async def steady(seen: Seen, seconds: float, warm_up: float) -> None:
    """Return when all voters have come and, after the warm-up, were timed for so many seconds."""
    await asyncio.sleep(_ARRIVAL_SECONDS + warm_up)
    seen.begin()
    await asyncio.sleep(seconds)
    seen.votes_per_second = round(len(seen.vote_ms) / seconds, 1)


async def under_way(seen: Seen, voters: int) -> None:
    """Return when half as many votes as there are voters were acknowledged from now on: the server is under load."""
    seen.news = asyncio.Queue()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        for _ in range(voters // 2):
            await seen.news.get()
