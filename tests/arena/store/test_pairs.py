"""The pairs of a store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from hypersd.arena.store.store import Store
from hypersd.arena.store.tables import PAIRS
from hypersd.arena.votes.battle import Battle, Vote, now
from tests.arena.conftest import pair, shown


def test_own_gold_and_study_pairs_are_kept_apart(store: Store) -> None:
    own, gold, study = pair(owner="ann"), pair(gold=0), pair(study="s")
    for given in (own, gold, study):
        store.pairs.add(given)
    assert store.pairs.pool_size(None) == 0
    assert store.pairs.pool_size("s") == 1
    assert store.pairs.candidate("ann", None) is None
    assert store.pairs.candidate("ann", None, gold=True) == (gold, True)
    assert store.pairs.candidate("ann", "s") == (study, True)


def test_pairs_that_nobody_owns_are_counted_without_reading_them(store: Store) -> None:
    for changes in ({}, {"gold": 0}, {"owner": "ann"}, {"study": "figure-5"}, {"study": "figure-5", "owner": "ann"}):
        store.pairs.add(pair(**changes))
    store.pairs.withdraw(store.pairs.select(PAIRS.c.gold.is_not(None))[0].id)
    statements: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert [store.pairs.count(study) for study in (None, "figure-5", "figure-1")] == [2, 1, 0]
    counts = [statement for statement in statements if "pairs" in statement]
    assert len(counts) == 3
    assert all(statement.startswith("SELECT count(*)") for statement in counts)


def test_a_voter_never_gets_a_pair_twice(store: Store) -> None:
    first, second = pair(), pair()
    for given in (first, second):
        store.pairs.add(given)
    battle = shown(store, first)
    assert store.pairs.candidate("ann", None) == (second, True)
    assert store.pairs.candidate("ben", None) == (second, True), "unseen pairs come first"
    assert store.pairs.candidate("ben", None, overlap=True) == (second, True), "a shown pair has no vote yet"
    store.add_vote(Vote(battle=battle, choice="left"))
    assert store.pairs.candidate("ben", None, overlap=True) == (first, False)
    assert store.pairs.candidate("ann", None, overlap=True) == (second, True)
    shown(store, second)
    assert store.pairs.candidate("ann", None) is None
    assert store.pairs.candidate("ann", None, overlap=True) is None


def test_abandoned_pairs_return_to_the_pool(store: Store) -> None:
    left, open_, voted, own, gold = pair(), pair(), pair(), pair(owner="ann"), pair(gold=0)
    for given in (left, open_, voted, own, gold):
        store.pairs.add(given)
    moment = now()
    for given in (left, own, gold):
        shown(store, given, expires=moment - timedelta(seconds=1))
    shown(store, open_, expires=moment + timedelta(seconds=1))
    store.add_vote(Vote(battle=shown(store, voted, expires=moment - timedelta(seconds=1)), choice="skip"))
    assert store.pairs.pool_size(None) == 0
    assert store.pairs.release(moment) == 1
    assert store.pairs.release(moment) == 0
    assert store.pairs.pool_size(None) == 1
    assert store.pairs.candidate("ben", None) == (left, True)
    assert store.pairs.candidate("ann", None) is None, "its first voter is not shown it again"
    assert store.battles.claim(Battle(pair=left, swapped=False, voter="ben", kind="human", expires=moment))


def test_a_withdrawn_pair_is_shown_to_nobody(store: Store) -> None:
    waiting, voted, fresh = pair(), pair(), pair()
    for given in (waiting, voted, fresh):
        store.pairs.add(given)
    late = shown(store, waiting)
    store.add_vote(Vote(battle=shown(store, voted), choice="left"))
    for given in (waiting, voted, fresh):
        store.pairs.withdraw(given.id)
    assert store.battles.open("ann", None, now()) is None
    assert store.battles.repeatable("ann", None, 0) is None
    assert store.pairs.candidate("ben", None) is None
    assert store.pairs.candidate("ben", None, overlap=True) is None
    assert not store.battles.claim(Battle(pair=fresh, swapped=False, voter="ben", kind="human", expires=now()))
    shown(store, fresh, "cyd")  # a battle handed out at the same time does not bring it back
    assert store.pairs.pool_size(None) == 0
    store.add_vote(Vote(battle=late, choice="right"))
    assert store.count_votes() == 2, "votes on it are kept"


def test_the_next_pair_is_found_without_a_table_scan(tmp_path: Path) -> None:
    """By SQLite's query plan; PostgreSQL's plan depends on the number of rows."""
    store = Store(f"sqlite:///{tmp_path}/arena.sqlite")
    said: list[str] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def explain(_: object, cursor: sqlite3.Cursor, statement: str, parameters: Any, *rest: object) -> None:
        if statement.startswith("SELECT"):
            said.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    store.pairs.candidate("ann", None)
    store.pairs.candidate("ann", "study")
    store.pairs.candidate("ann", None, overlap=True)
    assert {line.partition(" USING")[0] for line in said if "USING INDEX ix_pairs_open" in line} == {"SEARCH pairs"}
    store.pairs.candidate("ann", None, gold=True)
    store.pairs.pool_size(None)
    assert not [line for line in said if "SCAN" in line or "ORDER BY" in line]
    said.clear()
    store.battles.open("ann", None, now())
    store.battles.repeatable("ann", None, 15)
    store.battles.activity("ann", minute=now(), day=now(), moment=now())
    store.battles.status("battle")
    assert not [line for line in said if "SCAN" in line], "battles are not scanned either"
    store.engine.dispose()
