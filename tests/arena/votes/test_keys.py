"""The key for pseudonyms: one per store, independent of the data folder, stored in one place only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hypersd.arena.dataset.pickapic import STUDY
from hypersd.arena.store.store import Store
from hypersd.arena.store.tables import KEYS
from hypersd.arena.votes.battle import Battle, Kind, Vote, now
from hypersd.arena.votes.keys import voter_key, voters_of_other_keys
from tests.arena.conftest import pair

SECRET = "correct horse battery staple"  # noqa: S105 - not a real password


def vote(
    store: Store, voter: str = "ann", kind: Kind = "human", study: str | None = None, minutes_ago: int = 5
) -> None:
    moment = now() - timedelta(minutes=minutes_ago)
    given = pair(study=study)
    battle = Battle(pair=given, swapped=False, voter=voter, kind=kind, expires=moment)
    store.pairs.add(given)
    store.battles.add(battle)
    store.add_vote(Vote(battle=battle, choice="left", voted=moment))


def test_a_store_keeps_its_key_when_the_folder_is_lost(store: Store, url: str, tmp_path: Path) -> None:
    first = voter_key(store.engine, file=tmp_path / "voters.key")
    assert len(first.secret) == 32
    again = Store(url)
    assert voter_key(again.engine, file=tmp_path / "elsewhere" / "voters.key") == first
    assert voters_of_other_keys(again.engine, first) == 0
    again.engine.dispose()


def test_replicas_that_start_at_once_get_one_key(database: Callable[[], str]) -> None:
    for _ in range(3):
        stores = [Store(url) for url in [database()] * 8]
        with ThreadPoolExecutor(8) as threads:
            keys = list(threads.map(lambda store: voter_key(store.engine), stores))
        assert len({key.secret for key in keys}) == 1
        for store in stores:
            store.engine.dispose()


def test_the_key_of_an_earlier_release_becomes_the_store_s(store: Store, tmp_path: Path) -> None:
    vote(store)
    file = tmp_path / "voters.key"
    file.write_bytes(b"k" * 32)
    key = voter_key(store.engine, file=file)
    assert key.secret == b"k" * 32
    assert voters_of_other_keys(store.engine, key) == 0, "they are taken to be of this key"
    file.unlink()
    assert voter_key(store.engine, file=file) == key


def test_a_file_with_a_different_key_is_named_and_not_used(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = voter_key(store.engine)
    file = tmp_path / "voters.key"
    for content, said in ((b"k" * 32, "is not the key of this store"), (b"", "is not a key")):
        caplog.clear()
        file.write_bytes(content)
        assert voter_key(store.engine, file=file) == key
        assert str(file) in caplog.text
        assert said in caplog.text


def test_a_key_from_the_environment_is_recognised_but_not_stored(store: Store) -> None:
    key = voter_key(store.engine, SECRET)
    assert key.secret == SECRET.encode()
    assert voter_key(store.engine, SECRET) == key
    with store.engine.connect() as connection:
        rows = connection.execute(select(KEYS)).all()
    assert [row.secret for row in rows] == [None]
    assert SECRET not in repr(rows)


def test_voters_of_another_key_are_counted(store: Store) -> None:
    before = voter_key(store.engine, SECRET)
    vote(store, "ann")
    vote(store, "ann")
    vote(store, "ben")
    vote(store, "robot", "simulated")
    vote(store, "p17", study=STUDY)
    assert voters_of_other_keys(store.engine, before) == 0
    for key in (voter_key(store.engine), voter_key(store.engine, "another secret")):
        assert voters_of_other_keys(store.engine, key) == 2
    assert voters_of_other_keys(store.engine, voter_key(store.engine, SECRET)) == 0, "the old secret is back"


def test_a_lost_key_of_an_earlier_release_is_detected(store: Store) -> None:
    vote(store)
    key = voter_key(store.engine)
    assert voters_of_other_keys(store.engine, key) == 1
    vote(store, "ben", minutes_ago=-1)
    assert voters_of_other_keys(store.engine, key) == 1, "voters since then are not counted"


def test_a_secret_set_before_the_first_vote_is_not_a_change_of_key(store: Store) -> None:
    voter_key(store.engine)
    key = voter_key(store.engine, SECRET)
    vote(store, minutes_ago=-1)
    assert voters_of_other_keys(store.engine, key) == 0


def test_the_key_is_never_logged(store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "voters.key"
    file.write_bytes(b"k" * 32)
    shown = [repr(voter_key(store.engine, file=file)), repr(voter_key(store.engine, SECRET)), caplog.text]
    for secret in (SECRET, "k" * 32, (b"k" * 32).hex()):
        assert not [text for text in shown if secret in text]
