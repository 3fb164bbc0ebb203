"""A store on SQLite and on PostgreSQL, and pairs to vote on."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.postgres import Postgres, running_postgres
from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.vote_rules import BattlePolicy
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Battle, Contestant, Entry, Pair, now
from hypersd.arena.votes.images import ImageStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server."""
    try:
        with running_postgres() as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Function that creates an empty database, SQLite or PostgreSQL, and returns its URL."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/{secrets.token_hex(6)}.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return lambda: server.database(f"arena_{secrets.token_hex(6)}")


@pytest.fixture
def url(database: Callable[[], str]) -> str:
    """An empty database of each kind."""
    return database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.engine.dispose()


@pytest.fixture
def pictures(tmp_path: Path) -> ImageStore:
    """A folder of pictures."""
    return ImageStore(str(tmp_path / "pictures"))


def entry(label: str, picture: str = "") -> Entry:
    """Make an entry of a contestant."""
    contestant = Contestant.parse(label)
    return Entry(contestant=contestant, picture=picture or f"{label}-picture", seconds=0.5, calls=4, version="1")


def pair(first: str = "emoji/hyper@4", second: str = "emoji/base@25", **changes: Any) -> Pair:
    """A pair of the open arena; with one contestant twice, a picture and its spoiled copy."""
    spoiled = "spoiled" if first == second else ""
    given = {
        "prompt": "a cat",
        "prompt_set": "emoji-v1",
        "seed": 7,
        "entries": (entry(first), entry(second, spoiled)),
        "probability": 0.25,
    }
    return Pair(**{**given, **changes})


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
    store.battles.add(battle)
    return battle


@dataclass
class Clock:
    """A clock that changes only when a test sets it."""

    time: datetime

    def __call__(self) -> datetime:
        return self.time

    def move(self, **span: float) -> None:
        self.time += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock(now())


@pytest.fixture
def service_of(store: Store, clock: Clock) -> Callable[..., BattleService]:
    """Factory of battle services on one store; no gold pairs, repeats or overlap by default."""

    def make(seed: int = 0, **habits: Any) -> BattleService:
        plain = {"gold_share": 0.0, "first_gold": 0, "repeat_share": 0.0, "overlap_share": 0.0}
        return BattleService(store, BattlePolicy(**{**plain, **habits}), rng=random.Random(seed), clock=clock)

    return make
