"""Connecting to SQLite or PostgreSQL so that the same code is safe on both, and bringing the tables up to date."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite

INSERTS = MappingProxyType({"sqlite": sqlite.insert, "postgresql": postgresql.insert})
"""An INSERT that can say what happens if the row is there, by the name of the database."""

_READING = "hypersd_reading"
"""The execution option of connections that only read."""

_SOON = "hypersd_soon"
"""The execution option of connections whose writing need not be on disk at once."""

_TURN = "hypersd_turn"
"""The execution option of engines whose writers take turns: the lock that they hold."""

_BUSY_SECONDS = 10
_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps the migration under way in a global variable."""

_MIGRATION_LOCK = 7211983
_PATIENCE: Mapping[str, int] = MappingProxyType(
    {"connect_timeout": 5, "keepalives_idle": 10, "tcp_user_timeout": 10_000}
)
"""Timeouts for a PostgreSQL server that has gone silent: seconds, seconds, milliseconds."""


class DatabaseError(ValueError):
    """A database that this release cannot work with; the message names it, and never its password."""


def connect_to(url: str) -> Engine:
    """An engine for a database URL (SQLAlchemy's form); nothing is connected yet.

    Raises:
        ValueError: the URL is not one, or of a database that the arena does not work with. The message does not
            repeat it: there may be a password in it.
        OSError: the folder of a SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
    except Exception:  # noqa: BLE001 - whatever it is, it may quote the URL, so it is not passed on
        raise ValueError("DATABASE_URL is not a database URL") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parsed)
    if backend not in {"postgresql", "postgres"}:  # hosts hand out URLs with either
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

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        # A writer takes its lock at once: one that began as a reader could not wait for another writer.
        options = connection.get_execution_options()
        if options.get(_READING):
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get(_SOON) else 'FULL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "handle_error", _name_the_file)
    return engine


def reading(engine: Engine) -> Connection:
    """A connection that only reads: on SQLite it waits for no writer, and none waits for it."""
    return engine.connect().execution_options(**{_READING: True})


@contextmanager
def writing(engine: Engine, *, soon: bool = False) -> Generator[Connection]:
    """A transaction that writes. When it has ended, it is on disk.

    SQLite has one writer at a time, and whoever finds it at work sleeps, for up to 100 ms at once. So the writers of
    this process take turns: the next one goes on as soon as the last one has ended.

    Args:
        engine: the database.
        soon: SQLite may put it on disk later, with the next transaction that is not of this kind, and before it: what
            a vote builds on is there when the vote is. A process that dies loses nothing; a machine that does may
            lose what no vote followed. PostgreSQL commits as always.
    """
    turn = engine.get_execution_options().get(_TURN, nullcontext())
    with turn, engine.connect().execution_options(**{_SOON: soon}) as connection, connection.begin():
        yield connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn WAL on; of two processes that do so on a new file, SQLite turns one away without letting it wait."""
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
    """Make the tables, or bring them up to date.

    Raises:
        DatabaseError: the database is of a newer release, or it is damaged or no database.
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
    """Name of a database for people: its file, or its address without user and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"the database {url.database} at {url.host or 'localhost'}"


def _name_the_file(context: ExceptionContext) -> None:
    """Let a SQLite file that is damaged or none be named, whichever query came upon it."""
    code = getattr(context.original_exception, "sqlite_errorcode", None)
    if context.engine is None or code is None or code & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return
    raise DatabaseError(
        f"{name_of(context.engine.url)} is damaged, or no database ({context.original_exception}); "
        "restore a copy of it, or name another file in DATABASE_URL"
    ) from context.original_exception
