"""The least that a vote costs with the same libraries: Starlette, SQLAlchemy and SQLite, and nothing of the arena.

    HYPERSD_DATA=FOLDER GRADIO_SERVER_PORT=PORT python -m benchmarks.bare_vote

The same requests as the arena's, each with the statements that no arena can do without: to hand out a pair and note
it, to note that it was shown, and to store the vote on disk; or, with the next battle named in the vote, all in one.
It knows no voters, limits, checks, repeats, studies or receipts, and its picture is a constant. `benchmarks.vote_floor`
compares the arena with it.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import uvicorn
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    update,
)
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PAIRS_COUNT = 2000
_SHEET = "data:image/webp;base64," + base64.b64encode(os.urandom(30_000)).decode()
"""As long as two pictures of the arena in `benchmarks.arena_still`."""

METADATA = MetaData()
PAIRS = Table(
    "pairs", METADATA, Column("id", String(32), primary_key=True), Column("served", Integer, nullable=False, index=True)
)
BATTLES = Table(
    "battles",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("pair_id", ForeignKey("pairs.id"), nullable=False),
    Column("voter", String(32), nullable=False),
    Column("shown", DateTime),
)
VOTES = Table(
    "votes",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("battle_id", ForeignKey("battles.id"), nullable=False, unique=True),
    Column("choice", String(12), nullable=False),
    Column("voted", DateTime, nullable=False),
)
_NEXT = select(PAIRS.c.id).where(PAIRS.c.served == 0).limit(1)
_SERVE = update(PAIRS).where(PAIRS.c.id == bindparam("pair")).values(served=1)
_SHOW = update(BATTLES).where(BATTLES.c.id == bindparam("battle")).values(shown=bindparam("moment"))

ENGINE = create_engine(f"sqlite:///{os.environ['HYPERSD_DATA']}/bare.sqlite", connect_args={"timeout": 10})


@event.listens_for(ENGINE, "connect")
def _connect(connection: Any, _: object) -> None:  # pyright: ignore[reportUnusedFunction]
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")


@event.listens_for(ENGINE, "begin")
def _begin(connection: Any) -> None:  # pyright: ignore[reportUnusedFunction]
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def draw(voter: str, _: dict[str, str]) -> dict[str, Any]:
    """Hand out a pair."""
    with ENGINE.begin() as connection:
        return _draw(connection, voter)


def show(_: str, words: dict[str, str]) -> dict[str, Any]:
    """Note that a battle was shown."""
    with ENGINE.begin() as connection:
        _show(connection, words["battle"])
    return {"battle": words["battle"]}


def vote(voter: str, words: dict[str, str]) -> dict[str, Any]:
    """Store a vote and, if the next battle is named, that it was shown, and hand out another pair."""
    row = {"id": secrets.token_hex(16), "battle_id": words["battle"], "choice": words["choice"]}
    with ENGINE.begin() as connection:
        connection.execute(insert(VOTES), row | {"voted": datetime.now(UTC)})
        if "shown" not in words:
            return row
        _show(connection, words["shown"])
        return {**row, "ahead": _draw(connection, voter)}


def _draw(connection: Connection, voter: str) -> dict[str, str]:
    battle, pair = secrets.token_hex(16), connection.scalar(_NEXT)
    connection.execute(_SERVE, {"pair": pair})
    connection.execute(insert(BATTLES), {"id": battle, "pair_id": pair, "voter": voter})
    return {"battle": battle, "prompt": "a pair", "sheet": _SHEET}


def _show(connection: Connection, battle: str) -> None:
    connection.execute(_SHOW, {"battle": battle, "moment": datetime.now(UTC)})


def route(name: str, handle: Callable[[str, dict[str, str]], dict[str, Any]]) -> Route:
    """A POST route that runs `handle` on a thread."""

    async def endpoint(request: Request) -> JSONResponse:
        words = await request.json()
        return JSONResponse(await run_in_threadpool(handle, request.headers["x-voter"], words))

    return Route(f"/arena/{name}", endpoint, methods=["POST"])


def main() -> None:
    """Serve until it is stopped."""
    METADATA.create_all(ENGINE)
    with ENGINE.begin() as connection:
        connection.execute(insert(PAIRS), [{"id": secrets.token_hex(16), "served": 0} for _ in range(PAIRS_COUNT)])
    handlers = {"draw": draw, "show": show, "vote": vote, "progress": lambda *_: {}}
    app = Starlette(routes=[route(name, handle) for name, handle in handlers.items()])
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["GRADIO_SERVER_PORT"]), log_level="error")


if __name__ == "__main__":
    main()
