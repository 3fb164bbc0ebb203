"""Replicas of the arena on one PostgreSQL behind nginx: each serves any request, and a killed one loses no vote."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator

import httpx
import pytest

from benchmarks.accounting import account
from benchmarks.replicas import Replicas, running_replicas
from hypersd.arena.store.store import Store

_VOTERS = 4
_VOTES_EACH = 8


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    try:
        with running_replicas(tmp_path_factory.mktemp("replicas"), 2, pairs=60) as running:
            yield running
    except FileNotFoundError as error:
        pytest.skip(str(error))


HTTP = httpx.Client(timeout=30)
"""One for all: each new one reads the certificates, which takes longer than a vote."""


def ask(url: str, voter: str, name: str, **words: str) -> httpx.Response:
    return HTTP.post(f"{url}/arena/{name}", json=words, headers={"x-voter": voter})


def test_any_replica_serves_any_request(replicas: Replicas) -> None:
    first, second = replicas.servers
    voter = secrets.token_hex(16)
    battle = ask(first.url, voter, "draw").json()["battle"]
    assert ask(second.url, voter, "draw").json()["battle"] == battle, "it waits for its vote there too"
    assert ask(second.url, voter, "show", battle=battle).is_success
    answer = ask(first.url, voter, "vote", battle=battle, choice="left")
    assert answer.is_success
    assert ask(second.url, voter, "vote", battle=battle, choice="left").status_code == 409
    receipt = HTTP.get(f"{second.url}/arena/receipt/{answer.json()['receipt']}")
    assert receipt.json()["kept"]
    assert ask(second.url, voter, "progress").json()["votes"] == 1


def test_no_vote_is_lost_or_doubled_while_a_replica_is_killed(replicas: Replicas) -> None:
    store = Store(replicas.url_of_votes)
    before = set(store.vote_ids())
    acknowledged: list[str] = []
    half_way = threading.Semaphore(0)

    def vote() -> None:
        voter = secrets.token_hex(16)
        for _ in range(_VOTES_EACH):
            acknowledged.append(persistent_vote(replicas.url, voter))
            half_way.release()

    threads = [threading.Thread(target=vote) for _ in range(_VOTERS)]
    for thread in threads:
        thread.start()
    for _ in range(_VOTERS * _VOTES_EACH // 2):
        assert half_way.acquire(timeout=60)
    replicas.kill()
    for thread in threads:
        thread.join(timeout=60)
    kept = [vote.battle.id for vote in store.votes() if vote.id not in before]
    store.engine.dispose()
    accounts = account(acknowledged, kept)
    assert len(acknowledged) == _VOTERS * _VOTES_EACH, "voting went on without it"
    assert accounts.sound
    assert not accounts.unheard, "a vote whose answer was lost was asked for again"


def persistent_vote(url: str, voter: str) -> str:
    """Vote on the next battle as the page does: what fails on the way is asked for again."""
    for _ in range(100):
        drawn = ask(url, voter, "draw")
        if not drawn.is_success:
            continue
        battle = drawn.json()["battle"]
        for _ in range(100):
            if ask(url, voter, "show", battle=battle).is_success:
                break
        for _ in range(100):
            answer = ask(url, voter, "vote", battle=battle, choice="left")
            if answer.is_success or answer.status_code == 409:
                return battle
    raise AssertionError("no vote was accepted")
