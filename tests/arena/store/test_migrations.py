"""The migrations: they produce the tables of `tables.py`, also when started concurrently."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, update

from hypersd.arena import migrations
from hypersd.arena.store.database import connect_to
from hypersd.arena.store.store import Store
from hypersd.arena.store.tables import METADATA, PAIRS
from hypersd.arena.votes.battle import Battle, Vote, now
from tests.arena.conftest import entry, pair

_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def config() -> Config:
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return alembic


def move(engine: Engine, run: Callable[[Config, str], None], revision: str) -> None:
    """Up- or downgrade to a revision."""
    moving = config()
    with engine.begin() as connection:
        moving.attributes["connection"] = connection
        run(moving, revision)


def indexes(engine: Engine) -> dict[str, str]:
    """Every index as the database describes it, including properties that Alembic does not compare."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(_INDEXES[engine.dialect.name]).all()
    return {row[0]: " ".join(row[1].split()) for row in rows if row[0] != "alembic_version_pkc"}


def test_the_migrations_produce_the_tables(store: Store, database: Callable[[], str]) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA) == []
    other = connect_to(database())
    METADATA.create_all(other)
    assert indexes(store.engine) == indexes(other)
    other.dispose()


def test_migrations_are_linear_and_each_can_be_reverted(database: Callable[[], str]) -> None:
    engine = connect_to(database())
    line = [step.revision for step in ScriptDirectory.from_config(config()).walk_revisions()]
    assert line == sorted(line, reverse=True)
    before: list[dict[str, str]] = []
    for revision in reversed(line):
        before.append(indexes(engine))
        move(engine, command.upgrade, revision)
    for _ in line:
        move(engine, command.downgrade, "-1")
        assert indexes(engine) == before.pop()
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_an_older_database_is_migrated_with_its_data(store: Store, url: str) -> None:
    given = pair()
    store.pairs.add(given)
    battle = Battle(pair=given, swapped=True, voter="ann", kind="human", expires=now() + timedelta(minutes=1))
    store.battles.add(battle)
    vote = Vote(battle=battle, choice="left")
    store.add_vote(vote)
    move(store.engine, command.downgrade, "0001")
    again = Store(url)
    assert list(again.votes()) == [vote]
    assert again.pairs.select() == [given]
    again.engine.dispose()


def test_pairs_of_two_equal_pictures_are_withdrawn(store: Store, url: str) -> None:
    same = pair(entries=(entry("emoji/hyper@4", "one"), entry("emoji/base@25", "one")))
    other = pair()
    for given in (same, other):
        store.pairs.add(given)
    assert store.pairs.pool_size(None) == 1, "such a pair is not added to the pool now"
    move(store.engine, command.downgrade, "0002")
    with store.engine.begin() as connection:
        connection.execute(update(PAIRS).values(served=0))
    again = Store(url)
    assert {one.id for one in again.pairs.select()} == {same.id, other.id}, "both are kept"
    candidate = again.pairs.candidate("ann", None)
    assert candidate is not None
    assert (candidate[0], again.pairs.pool_size(None)) == (other, 1)
    again.engine.dispose()


def test_many_threads_open_new_databases(database: Callable[[], str]) -> None:
    urls = [database() for _ in range(4)] * 2
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(Store, urls))
    for store in stores:
        assert store.count_votes() == 0
        store.engine.dispose()


def test_a_new_file_with_another_writer_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself fails at once if WAL is turned on while another process writes."""
    other = sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE theirs (number INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    later = threading.Timer(0.3, other.execute, ["COMMIT"])
    later.start()
    store = Store(f"sqlite:///{tmp_path}/new.sqlite")
    assert store.count_votes() == 0
    later.join()
    other.close()
    store.engine.dispose()


_OPENING = """
import sys
from hypersd.arena.store.store import Store
print("ready", flush=True)
for url in sys.stdin:
    print(Store(url.strip()).count_votes(), flush=True)
"""


def test_several_processes_open_one_new_database(database: Callable[[], str]) -> None:
    """Replicas that start together; on SQLite, the app and a command."""
    command = [sys.executable, "-c", _OPENING]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    pipes = [(one.stdin, one.stdout) for one in openers if one.stdin and one.stdout]
    assert [out.readline() for _, out in pipes] == ["ready\n"] * 4
    for _ in range(5):
        url = database()
        for into, _ in pipes:
            into.write(f"{url}\n")
            into.flush()
        assert [out.readline() for _, out in pipes] == ["0\n"] * 4
    for opener in openers:
        opener.communicate()
