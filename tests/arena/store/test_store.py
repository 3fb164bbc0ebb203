"""The vote store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import random
import secrets
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from traceback import format_exception
from typing import IO, Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import SQLAlchemyError

from hypersd.arena.store import database
from hypersd.arena.store.store import DuplicateVote, Store, VoterActivity
from hypersd.arena.store.tables import BATTLES, PAIRS, VOTES
from hypersd.arena.votes.battle import Battle, Client, Contestant, Pair, Vote, now
from tests.arena.conftest import Postgres, pair


def shown(store: Store, given: Pair, voter: str = "ann", **changes: Any) -> Battle:
    """A battle that waits for its vote."""
    moment = now()
    battle = Battle(
        pair=given,
        swapped=False,
        voter=voter,
        kind="human",
        drawn=moment,
        shown=moment,
        expires=moment + timedelta(minutes=5),
    )
    battle = replace(battle, **changes)
    store.add_battle(battle)
    return battle


def test_all_data_survives_a_round_trip(store: Store) -> None:
    given = pair(prompt="a 🦊 left of a =1+1 \u202ecat <b>", seed=2**32 - 1, software={"torch": "2"}, gold=1, study="s")
    store.add_pair(given)
    battle = shown(store, given, swapped=True, kind="simulated", purpose="gold", repeat_of=None)
    vote = Vote(
        battle=battle, choice="left", client=Client(decision_ms=1234, input="key"), gates={"captcha": "unavailable"}
    )
    store.add_vote(vote)
    assert store.battle(battle.id) == battle
    assert store.pairs() == [given]
    assert store.vote_of(battle.id) == vote
    assert list(store.votes()) == [vote]
    assert vote.winner == given.entries[1]
    store.add_answer(battle.id, "right", now())
    assert store.vote_of(battle.id) == replace(vote, knowing_time="right")
    with pytest.raises(DuplicateVote):
        store.add_answer(battle.id, "left", now())


def test_a_battle_has_one_vote_under_concurrency(store: Store) -> None:
    given = pair()
    store.add_pair(given)
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


def test_a_fresh_pair_is_claimed_once(store: Store) -> None:
    given = pair()
    store.add_pair(given)
    assert store.pool_size(None) == 1
    wins: list[bool] = []

    def claim(voter: str) -> None:
        battle = Battle(pair=given, swapped=False, voter=voter, kind="human", expires=now())
        wins.append(store.claim(battle))

    threads = [threading.Thread(target=claim, args=(f"voter-{index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [False] * 7 + [True]
    assert store.pool_size(None) == 0


def test_sqlite_waits_for_the_disk_for_a_vote_but_not_for_a_battle(tmp_path: Path) -> None:
    store, said = Store(f"sqlite:///{tmp_path}/arena.sqlite"), list[str]()
    given = pair()
    store.add_pair(given)
    event.listen(store.engine, "checkout", lambda driver, *_: driver.set_trace_callback(said.append))
    battle = Battle(pair=given, swapped=False, voter="ann", kind="human", expires=now() + timedelta(minutes=5))
    assert store.claim(battle)
    store.show(battle.id, "ann", now())
    store.add_vote(Vote(battle=replace(battle, shown=now()), choice="left"))
    asked = [words.removeprefix("PRAGMA synchronous=") for words in said if "synchronous" in words]
    assert asked == ["NORMAL", "NORMAL", "FULL"]


def test_own_gold_and_study_pairs_are_kept_apart(store: Store) -> None:
    own, gold, study = pair(owner="ann"), pair(gold=0), pair(study="s")
    for given in (own, gold, study):
        store.add_pair(given)
    assert store.pool_size(None) == 0
    assert store.pool_size("s") == 1
    assert store.candidate("ann", None) is None
    assert store.candidate("ann", None, gold=True) == (gold, True)
    assert store.candidate("ann", "s") == (study, True)


def test_pairs_that_nobody_owns_are_counted_without_reading_them(store: Store) -> None:
    for changes in ({}, {"gold": 0}, {"owner": "ann"}, {"study": "figure-5"}, {"study": "figure-5", "owner": "ann"}):
        store.add_pair(pair(**changes))
    store.withdraw(store.pairs(PAIRS.c.gold.is_not(None))[0].id)
    statements: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert [store.count_pairs(study) for study in (None, "figure-5", "figure-1")] == [2, 1, 0]
    counts = [statement for statement in statements if "pairs" in statement]
    assert len(counts) == 3
    assert all(statement.startswith("SELECT count(*)") for statement in counts)


def test_a_voter_never_gets_a_pair_twice(store: Store) -> None:
    first, second = pair(), pair()
    for given in (first, second):
        store.add_pair(given)
    battle = shown(store, first)
    assert store.candidate("ann", None) == (second, True)
    assert store.candidate("ben", None) == (second, True), "unseen pairs come first"
    assert store.candidate("ben", None, overlap=True) == (second, True), "a shown pair has no vote yet"
    store.add_vote(Vote(battle=battle, choice="left"))
    assert store.candidate("ben", None, overlap=True) == (first, False)
    assert store.candidate("ann", None, overlap=True) == (second, True)
    shown(store, second)
    assert store.candidate("ann", None) is None
    assert store.candidate("ann", None, overlap=True) is None


def test_abandoned_pairs_return_to_the_pool(store: Store) -> None:
    left, open_, voted, own, gold = pair(), pair(), pair(), pair(owner="ann"), pair(gold=0)
    for given in (left, open_, voted, own, gold):
        store.add_pair(given)
    moment = now()
    for given in (left, own, gold):
        shown(store, given, expires=moment - timedelta(seconds=1))
    shown(store, open_, expires=moment + timedelta(seconds=1))
    store.add_vote(Vote(battle=shown(store, voted, expires=moment - timedelta(seconds=1)), choice="skip"))
    assert store.pool_size(None) == 0
    assert store.release(moment) == 1
    assert store.release(moment) == 0
    assert store.pool_size(None) == 1
    assert store.candidate("ben", None) == (left, True)
    assert store.candidate("ann", None) is None, "its first voter is not shown it again"
    assert store.claim(Battle(pair=left, swapped=False, voter="ben", kind="human", expires=moment))


def test_a_withdrawn_pair_is_shown_to_nobody(store: Store) -> None:
    waiting, voted, fresh = pair(), pair(), pair()
    for given in (waiting, voted, fresh):
        store.add_pair(given)
    late = shown(store, waiting)
    store.add_vote(Vote(battle=shown(store, voted), choice="left"))
    for given in (waiting, voted, fresh):
        store.withdraw(given.id)
    assert store.open_battle("ann", None, now()) is None
    assert store.repeatable("ann", None, 0) is None
    assert store.candidate("ben", None) is None
    assert store.candidate("ben", None, overlap=True) is None
    assert not store.claim(Battle(pair=fresh, swapped=False, voter="ben", kind="human", expires=now()))
    shown(store, fresh, "cyd")  # a battle handed out at the same time does not bring it back
    assert store.pool_size(None) == 0
    store.add_vote(Vote(battle=late, choice="right"))
    assert store.count_votes() == 2, "votes on it are kept"


def test_a_voters_activity_is_counted_apart_from_others(store: Store) -> None:
    given, moment = pair(), now()
    store.add_pair(given)
    voted, waiting, gold = (shown(store, given, purpose=purpose) for purpose in ("open", "open", "gold"))
    shown(store, given, "ben", purpose="repeat")
    store.add_vote(Vote(battle=voted, choice="skip", voted=moment - timedelta(hours=1)))
    since = {"minute": moment - timedelta(minutes=1), "day": moment - timedelta(days=1)}
    known = store.activity("ann", **since, moment=moment)
    assert known == VoterActivity(minute=0, day=1, votes=1, battles=3, gold=1, waiting=2)
    assert store.activity("ann", **since, moment=moment, besides=waiting.id).waiting == 1
    assert store.activity("ann", **since, moment=gold.expires).waiting == 0, "they expire before"
    assert store.activity("cyd", **since, moment=moment) == VoterActivity(0, 0, 0, 0, 0, 0)


def test_the_next_pair_is_found_without_a_table_scan(tmp_path: Path) -> None:
    """By SQLite's query plan; PostgreSQL's plan depends on the number of rows."""
    store = Store(f"sqlite:///{tmp_path}/arena.sqlite")
    said: list[str] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def explain(_: object, cursor: sqlite3.Cursor, statement: str, parameters: Any, *rest: object) -> None:
        if statement.startswith("SELECT"):
            said.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    store.candidate("ann", None)
    store.candidate("ann", "study")
    store.candidate("ann", None, overlap=True)
    assert {line.partition(" USING")[0] for line in said if "USING INDEX ix_pairs_open" in line} == {"SEARCH pairs"}
    store.candidate("ann", None, gold=True)
    store.pool_size(None)
    assert not [line for line in said if "SCAN" in line or "ORDER BY" in line]
    said.clear()
    store.open_battle("ann", None, now())
    store.repeatable("ann", None, 15)
    store.activity("ann", minute=now(), day=now(), moment=now())
    store.before_vote("battle", "ann", minute=now(), day=now(), moment=now())
    assert not [line for line in said if "SCAN" in line], "battles are not scanned either"
    store.engine.dispose()


def test_battle_status_tells_if_there_is_a_vote(store: Store) -> None:
    given = pair()
    store.add_pair(given)
    battle, other = shown(store, given), shown(store, given, "ben")
    assert store.battle_status(battle.id) == (battle, False)
    store.add_vote(Vote(battle=battle, choice="skip"))
    assert store.battle_status(battle.id) == (battle, True)
    assert store.battle_status(other.id) == (other, False), "a vote of another battle on the same pair does not count"
    assert store.battle_status("0" * 32) is None


def test_two_replicas_bench_a_contestant_at_once(store: Store) -> None:
    hyper = Contestant.parse("emoji/hyper@4")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: store.bench(hyper, f"reason {number}"), range(24)))
    assert list(store.benched()) == [hyper]


def test_a_benched_contestant_is_named_with_its_reason(store: Store) -> None:
    hyper = Contestant.parse("emoji/hyper@4")
    store.bench(hyper, "out of memory")
    store.bench(hyper, "it fails")
    assert store.benched() == {hyper: "it fails"}
    store.unbench(hyper)
    assert store.benched() == {}


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
    assert store.pool_size(None) == 0
    store.engine.dispose()


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/secret.sqlite")
    assert "secret" not in repr(store)
    store.engine.dispose()


VOTER = """
import sys
from hypersd.arena.service.battles import BattleService, BattlePolicy
from hypersd.arena.store.store import Store
store, name = Store(sys.argv[1]), sys.argv[2]
quick = {"votes_a_minute": 10**6, "votes_a_day": 10**6}
habits = BattlePolicy(gold_share=0, first_gold=0, repeat_share=0, overlap_share=0, **quick)
desk = BattleService(store, habits)
print("ready", flush=True)
sys.stdin.readline()
while battle := desk.next_battle(name):
    desk.mark_shown(battle.id, name)
    print(desk.vote(battle.id, name, "left").id, battle.pair.id, flush=True)
"""
"""Program that votes in a loop and prints its acknowledged votes and their pairs."""


@contextmanager
def voter(url: str, name: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A process that starts voting on a signal, and its output."""
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
        store.add_pair(given)
    rng = random.Random(0)
    acknowledged: list[str] = []
    kills = 5
    for number in range(kills):
        with voter(url, f"voter-{number}") as (process, said):
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
    assert again.pairs() == store.pairs()
    assert again.pool_size(None) >= len(pairs) - len(kept) - kills
    again.engine.dispose()


def test_two_processes_vote_concurrently(store: Store, url: str) -> None:
    """Two replicas: no pair is claimed twice, no vote is lost or doubled."""
    for seed in range(120):
        store.add_pair(pair(seed=seed))
    said: dict[str, list[list[str]]] = {}
    with voter(url, "ann") as (ann, anns), voter(url, "ben") as (ben, bens):
        go(ann)
        go(ben)
        # Each continues until it has seen every pair: pairs claimed by the other come after all fresh ones.
        said["ann"], said["ben"] = ([line.split() for line in out.read().splitlines()] for out in (anns, bens))
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
    store.add_pair(given)
    battle = shown(store, given)
    vote = Vote(battle=battle, choice="left")
    hyper = Contestant.parse("emoji/hyper@4")
    calls: list[Callable[[], object]] = [
        lambda: store.add_pair(late),
        lambda: store.pool_size(None),
        lambda: store.release(now()),
        lambda: store.withdraw(given.id),
        store.pairs,
        lambda: store.candidate("ann", None),
        lambda: store.add_battle(replace(battle, id="other")),
        lambda: store.claim(replace(battle, id="other")),
        lambda: store.battle(battle.id),
        lambda: store.show(battle.id, "ann", now()),
        lambda: store.open_battle("ann", None, now()),
        lambda: store.repeatable("ann", None, 0),
        lambda: store.activity("ann", minute=now(), day=now(), moment=now()),
        lambda: store.add_vote(vote),
        lambda: store.vote_of(battle.id),
        lambda: store.add_answer(battle.id, "left", now()),
        lambda: list(store.votes()),
        store.count_votes,
        lambda: store.bench(hyper, "it fails"),
        store.benched,
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
    assert store.pairs() == [given]
    assert store.count_votes() == 0, "rejected votes are not stored"
    store.add_vote(vote)
    postgres.stop()
    postgres.start()
    assert list(store.votes()) == [vote], "an unnoticed restart fails no request"
    store.engine.dispose()


def test_votes_can_be_filtered_by_any_column(store: Store) -> None:
    given = pair()
    store.add_pair(given)
    for number in range(3):
        store.add_vote(Vote(battle=shown(store, given, f"voter-{number}"), choice="tie"))
    assert store.count_votes(VOTES.c.choice == "tie") == 3
    minute = now() - timedelta(minutes=1)
    assert store.activity("voter-1", minute=minute, day=minute, moment=now()).minute == 1
    with store.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(VOTES)) == 3
    assert json.loads(json.dumps([vote.battle.pair.prompt for vote in store.votes()])) == ["a cat"] * 3
