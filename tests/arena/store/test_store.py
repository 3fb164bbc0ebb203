"""The vote store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from traceback import format_exception
from typing import IO

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import SQLAlchemyError

from hypersd.arena.store import database
from hypersd.arena.store.store import DuplicateVote, Store
from hypersd.arena.store.tables import BATTLES, PAIRS, VOTES
from hypersd.arena.votes.battle import Battle, Client, Contestant, Vote, now
from tests.arena.conftest import Postgres, pair, shown


def test_all_data_survives_a_round_trip(store: Store) -> None:
    given = pair(prompt="a 🦊 left of a =1+1 \u202ecat <b>", seed=2**32 - 1, software={"torch": "2"}, gold=1, study="s")
    store.pairs.add(given)
    battle = shown(store, given, swapped=True, kind="simulated", purpose="gold", repeat_of=None)
    vote = Vote(
        battle=battle, choice="left", client=Client(decision_ms=1234, input="key"), gates={"captcha": "unavailable"}
    )
    store.add_vote(vote)
    assert store.battles.get(battle.id) == battle
    assert store.pairs.select() == [given]
    assert store.vote_of(battle.id) == vote
    assert list(store.votes()) == [vote]
    assert vote.winner == given.entries[1]
    store.add_answer(battle.id, "right", now())
    assert store.vote_of(battle.id) == replace(vote, knowing_time="right")
    with pytest.raises(DuplicateVote):
        store.add_answer(battle.id, "left", now())


def test_a_battle_has_one_vote_under_concurrency(store: Store) -> None:
    given = pair()
    store.pairs.add(given)
    battle = shown(store, given)
    results: list[str] = []

    def vote() -> None:
        try:
            store.add_vote(Vote(battle=battle, choice="left"))
            results.append("counted")
        except DuplicateVote:
            results.append("already")

    threads = [threading.Thread(target=vote) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["already"] * 11 + ["counted"]
    assert store.count_votes() == 1


def test_sqlite_waits_for_the_disk_for_a_vote_but_not_for_a_battle(tmp_path: Path) -> None:
    store, said = Store(f"sqlite:///{tmp_path}/arena.sqlite"), list[str]()
    given = pair()
    store.pairs.add(given)
    event.listen(store.engine, "checkout", lambda driver, *_: driver.set_trace_callback(said.append))
    battle = Battle(pair=given, swapped=False, voter="ann", kind="human", expires=now() + timedelta(minutes=5))
    assert store.battles.claim(battle)
    store.battles.show(battle.id, "ann", now())
    store.add_vote(Vote(battle=replace(battle, shown=now()), choice="left"))
    asked = [words.removeprefix("PRAGMA synchronous=") for words in said if "synchronous" in words]
    assert asked == ["NORMAL", "NORMAL", "FULL"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense:secret", "not a database URL"),
        ("mysql://me:secret@x/y", "SQLite and PostgreSQL"),
        ("sqlite://", "in a file"),
        ("sqlite:///:memory:", "in a file"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Store(url)
    assert "secret" not in "".join(format_exception(caught.value))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_scheme_for_postgresql_works(postgres: Postgres, scheme: str) -> None:
    store = Store(postgres.database(f"named_{secrets.token_hex(4)}").replace("postgresql+psycopg", scheme))
    assert store.pairs.pool_size(None) == 0
    store.engine.dispose()


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/secret.sqlite")
    assert "secret" not in repr(store)
    store.engine.dispose()


VOTER = """
import sys
from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.vote_rules import BattlePolicy
from hypersd.arena.store.store import Store
store, name = Store(sys.argv[1]), sys.argv[2]
quick = {"votes_a_minute": 10**6, "votes_a_day": 10**6}
habits = BattlePolicy(gold_share=0, first_gold=0, repeat_share=0, overlap_share=0, **quick)
desk = BattleService(store, habits)


def vote():
    if battle := desk.next_battle(name):
        desk.mark_shown(battle.id, name)
        print(desk.vote(battle.id, name, "left").id, battle.pair.id, flush=True)
    return battle


print("ready", flush=True)
sys.stdin.readline()
vote()
sys.stdin.readline()
while vote():
    pass
"""
"""Program that votes once on a signal, in a loop on a second one, and prints its acknowledged votes and their pairs."""


@contextmanager
def voter(url: str, name: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A process that votes on signals, and its output."""
    command = [sys.executable, "-c", VOTER, url, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            yield process, process.stdout
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    """Send the signal."""
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def intact(store: Store) -> None:
    """Check consistency: exactly the pairs with a battle are out of the pool, and the file is intact."""
    with store.engine.connect() as connection:
        in_battles = set(connection.scalars(select(BATTLES.c.pair_id)))
        assert set(connection.scalars(select(PAIRS.c.id).where(PAIRS.c.served > 0))) == in_battles
        if store.engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_acknowledged_votes_survive_a_kill(store: Store, url: str) -> None:
    pairs = [pair(seed=seed) for seed in range(600)]
    for given in pairs:
        store.pairs.add(given)
    rng = random.Random(0)
    acknowledged: list[str] = []
    kills = 5
    for number in range(kills):
        with voter(url, f"voter-{number}") as (process, said):
            go(process)
            go(process)
            acknowledged += [said.readline().split()[0] for _ in range(rng.randint(1, 20))]
            time.sleep(rng.uniform(0, 0.05))
            process.kill()
            lines = said.read().split("\n")[:-1]  # the text after the last newline is incomplete
            acknowledged += [line.split()[0] for line in lines]
        intact(store)
    again = Store(url)
    kept = [vote.id for vote in again.votes()]
    assert len(kept) == len(set(kept)) == len({vote.battle.id for vote in again.votes()})
    assert set(acknowledged) <= set(kept)
    assert len(kept) <= len(acknowledged) + kills, "at most the vote in progress is stored without an acknowledgement"
    assert again.pairs.select() == store.pairs.select()
    assert again.pairs.pool_size(None) >= len(pairs) - len(kept) - kills
    again.engine.dispose()


def test_two_processes_vote_concurrently(store: Store, url: str) -> None:
    """Two replicas: no pair is claimed twice, no vote is lost or doubled."""
    for seed in range(120):
        store.pairs.add(pair(seed=seed))
    said: dict[str, list[list[str]]] = {}
    with voter(url, "ann") as (ann, anns), voter(url, "ben") as (ben, bens):
        for name, process, out in (("ann", ann, anns), ("ben", ben, bens)):
            go(process)
            said[name] = [out.readline().split()]
        go(ann)
        go(ben)
        # Each continues until it has seen every pair: pairs claimed by the other come after all fresh ones.
        for name, out in (("ann", anns), ("ben", bens)):
            said[name] += (line.split() for line in out.read().splitlines())
        assert [ann.wait(), ben.wait()] == [0, 0]
    for name, lines in said.items():
        assert len(lines) == len({on for _, on in lines}) == 120
        assert [vote.id for vote in store.votes_of(name)] == [vote for vote, _ in lines]
    assert store.count_votes() == 240
    with store.engine.connect() as connection:
        rows = connection.execute(select(BATTLES.c.pair_id, BATTLES.c.voter).order_by(BATTLES.c.drawn)).all()
        assert set(connection.scalars(select(PAIRS.c.served))) == {2}
    first = {row.pair_id: row.voter for row in reversed(rows)}
    assert Counter(first.values()).total() == 120
    assert set(first.values()) == {"ann", "ben"}, "both took fresh pairs"
    intact(store)


def test_a_silent_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server accepts the connection but never answers, like a firewall or a hanging machine."""
    monkeypatch.setattr(database, "_PATIENCE", {**database._PATIENCE, "connect_timeout": 2})
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        with pytest.raises(SQLAlchemyError):
            Store(f"postgresql://me@127.0.0.1:{server.getsockname()[1]}/arena")
    assert time.monotonic() - start < 10


def test_a_lost_database_connection_fails_soon_and_recovers(postgres: Postgres) -> None:
    store = Store(postgres.database("away"))
    given, late = pair(), pair()
    store.pairs.add(given)
    battle = shown(store, given)
    vote = Vote(battle=battle, choice="left")
    hyper = Contestant.parse("emoji/hyper@4")
    calls: list[Callable[[], object]] = [
        lambda: store.pairs.add(late),
        lambda: store.pairs.pool_size(None),
        lambda: store.pairs.release(now()),
        lambda: store.pairs.withdraw(given.id),
        store.pairs.select,
        lambda: store.pairs.candidate("ann", None),
        lambda: store.battles.add(replace(battle, id="other")),
        lambda: store.battles.claim(replace(battle, id="other")),
        lambda: store.battles.get(battle.id),
        lambda: store.battles.show(battle.id, "ann", now()),
        lambda: store.battles.open("ann", None, now()),
        lambda: store.battles.repeatable("ann", None, 0),
        lambda: store.battles.activity("ann", minute=now(), day=now(), moment=now()),
        lambda: store.add_vote(vote),
        lambda: store.vote_of(battle.id),
        lambda: store.add_answer(battle.id, "left", now()),
        lambda: list(store.votes()),
        store.count_votes,
        lambda: store.bench.add(hyper, "it fails"),
        store.bench.reasons,
        lambda: store.outbox.unpublished(9),
        lambda: store.outbox.published("shard", [vote]),
        lambda: store.outbox.restore([vote]),
    ]
    postgres.stop()
    start = time.monotonic()
    try:
        for call in calls:
            with pytest.raises(SQLAlchemyError):
                call()
        assert time.monotonic() - start < 15
    finally:
        postgres.start()
    assert store.pairs.select() == [given]
    assert store.count_votes() == 0, "rejected votes are not stored"
    store.add_vote(vote)
    postgres.stop()
    postgres.start()
    assert list(store.votes()) == [vote], "an unnoticed restart fails no request"
    store.engine.dispose()


def test_votes_can_be_filtered_by_any_column(store: Store) -> None:
    given = pair()
    store.pairs.add(given)
    for number in range(3):
        store.add_vote(Vote(battle=shown(store, given, f"voter-{number}"), choice="tie"))
    assert store.count_votes(VOTES.c.choice == "tie") == 3
    minute = now() - timedelta(minutes=1)
    assert store.battles.activity("voter-1", minute=minute, day=minute, moment=now()).minute == 1
    with store.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(VOTES)) == 3
    assert json.loads(json.dumps([vote.battle.pair.prompt for vote in store.votes()])) == ["a cat"] * 3
