"""Connections to SQLite and PostgreSQL with the same transaction guarantees, and migration of the tables."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, ExceptionContext, PoolProxiedConnection, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite

INSERTS = MappingProxyType({"sqlite": sqlite.insert, "postgresql": postgresql.insert})
"""The INSERT construct with ON CONFLICT, by the name of the database."""

_MODE = "hypersd_mode"
"""Key of a SQLite connection's next transaction: for reading, or its level of `synchronous`."""

_READING, _NORMAL, _FULL = "READING", "NORMAL", "FULL"

_TURN = "hypersd_turn"
"""Execution option that holds the lock by which the writers of an engine take turns."""

_BUSY_SECONDS = 10
_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps the migration under way in a global variable."""

_MIGRATION_LOCK = 7211983
_PATIENCE: Mapping[str, int] = MappingProxyType(
    {"connect_timeout": 5, "keepalives_idle": 10, "tcp_user_timeout": 10_000}
)
"""Timeouts for a PostgreSQL server that has gone silent: seconds, seconds, milliseconds."""


class DatabaseError(ValueError):
    """A database that this release does not support; the message names it without its password."""


def connect_to(url: str) -> Engine:
    """An engine for a database URL (SQLAlchemy's form); opens no connection yet.

    Raises:
        ValueError: the URL is invalid, or the database is not supported. The message omits the URL, which may hold a
            password.
        OSError: the folder of a SQLite file cannot be created.
    """
    try:
        parsed = make_url(url)
    except Exception:  # noqa: BLE001 - any error may quote the URL with its password, so it is not passed on
        raise ValueError("DATABASE_URL is not a database URL") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parsed)
    if backend not in {"postgresql", "postgres"}:  # hosting services use either name
        raise ValueError(f"the arena works with SQLite and PostgreSQL, not {backend}")
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        connect_args={name: value for name, value in _PATIENCE.items() if name not in parsed.query},
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        pool_timeout=_BUSY_SECONDS,
    )


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ValueError("the arena keeps its votes in a file; write it like sqlite:///data/arena.sqlite")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": _BUSY_SECONDS},
        pool_timeout=_BUSY_SECONDS,
        execution_options={_TURN: threading.Lock()},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: object) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # Python's sqlite3 must not begin transactions by itself
        _write_ahead(connection)
        connection.execute("PRAGMA foreign_keys=ON")

    # No listener of "begin", which would have SQLAlchemy look for listeners at each statement: a tenth of a vote.
    engine.dialect.do_begin = _begin
    event.listen(engine, "handle_error", _name_the_file)
    return engine


def _begin(dbapi_connection: PoolProxiedConnection) -> None:
    """Begin a transaction of SQLite as `reading` or `writing` want it; otherwise as a writer that waits for the disk.

    A writer takes its lock at the start: a reader that becomes a writer cannot wait for another writer.
    """
    mode = dbapi_connection.info.pop(_MODE, _FULL)
    driver = cast("sqlite3.Connection", dbapi_connection.driver_connection)
    if mode == _READING:
        driver.execute("BEGIN")
    else:
        driver.execute(f"PRAGMA synchronous={mode}")
        driver.execute("BEGIN IMMEDIATE")


def reading(engine: Engine) -> Connection:
    """A read-only connection: on SQLite it neither waits for a writer nor blocks one."""
    return _connected(engine, _READING)


def _connected(engine: Engine, mode: str) -> Connection:
    connection = engine.connect()
    connection.info[_MODE] = mode
    return connection


def reading_within(snapshot: Connection | None, engine: Engine) -> AbstractContextManager[Connection]:
    """The connection of a snapshot, which stays open; or, if there is none, as `reading`."""
    return reading(engine) if snapshot is None else nullcontext(snapshot)


@contextmanager
def writing(engine: Engine, *, soon: bool = False) -> Generator[Connection]:
    """A write transaction. When it has ended, its data is on disk.

    SQLite allows one writer at a time; another writer sleeps for up to 100 ms between attempts. So the writers of this
    process share a lock: the next one starts as soon as the last one has ended.

    Args:
        engine: the database.
        soon: SQLite may write it to disk later, but before the next transaction without this option, so that a vote
            is never on disk without its battle. A process that dies loses nothing; a machine that loses power may lose
            such transactions if no vote followed. PostgreSQL commits as usual.
    """
    turn = engine.get_execution_options().get(_TURN, nullcontext())
    with turn, _connected(engine, _NORMAL if soon else _FULL) as connection, connection.begin():
        yield connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn WAL on, with retries: if two processes do so on a new file, SQLite fails in one of them without waiting."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


def migrate(engine: Engine) -> None:
    """Create the tables, or migrate them to the newest revision.

    Raises:
        DatabaseError: the database is from a newer release, is damaged, or is not a database.
        sqlalchemy.exc.SQLAlchemyError: it cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    with _ONE_AT_A_TIME, writing(engine) as connection:
        if engine.dialect.name == "postgresql":  # two replicas that start at once: one migrates, one waits
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            unknown = error.__cause__
            if not isinstance(unknown, ResolutionError):
                raise DatabaseError(f"{name_of(engine.url)} cannot be brought up to date: {error}") from error
            raise DatabaseError(
                f"{name_of(engine.url)} was made by a newer release of this program (its tables are of revision "
                f"{unknown.argument}); update the program, or name another database in DATABASE_URL"
            ) from error


def name_of(url: URL) -> str:
    """Name of a database for messages: its file, or its address without user and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"the database {url.database} at {url.host or 'localhost'}"


def _name_the_file(context: ExceptionContext) -> None:
    """Add the file's name to the error of any query on a SQLite file that is damaged or not a database."""
    code = getattr(context.original_exception, "sqlite_errorcode", None)
    if context.engine is None or code is None or code & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return
    raise DatabaseError(
        f"{name_of(context.engine.url)} is damaged, or not a database ({context.original_exception}); "
        "restore a copy of it, or name another file in DATABASE_URL"
    ) from context.original_exception
