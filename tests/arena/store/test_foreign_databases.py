"""Unsupported databases: each is named in one sentence without its password."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from hypersd.arena.store.database import DatabaseError, connect_to, name_of
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from tests.arena.voted import vote


def test_a_newer_database_is_not_changed(database: Callable[[], str]) -> None:
    url = database()
    store = Store(url)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"newer release .*revision 9999.*; update the program"):
        Store(url)
    with store.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    store.engine.dispose()


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" * 300, b"hello", b"PAR1" * 100, b"SQLite format 3\0 no more"])
def test_a_file_that_is_not_a_database_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "arena.sqlite"
    file.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"arena\.sqlite is damaged, or not a database"):
        Store(f"sqlite:///{file}")
    assert file.read_bytes() == content


def test_damage_is_reported_by_the_query_that_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "arena.sqlite"
    store = Store(f"sqlite:///{file}")
    for number in range(60):
        vote(store, ImageStore(str(tmp_path / "pictures")), number)
    store.engine.dispose()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'votes'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = bytearray(file.read_bytes())
    content[(root - 1) * size : root * size] = b"\xff" * size
    file.write_bytes(content)
    damaged = Store(f"sqlite:///{file}")  # the tables are there
    with pytest.raises(DatabaseError, match=r"arena\.sqlite is damaged"):
        list(damaged.votes())
    damaged.engine.dispose()


def test_a_password_is_never_named() -> None:
    assert name_of(make_url("postgresql://ann:secret@db.example/votes")) == "the database votes at db.example"
    assert name_of(connect_to("postgres://ann:secret@/votes").url) == "the database votes at localhost"
