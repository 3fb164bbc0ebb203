"""Votes and pictures on a machine whose disk is wiped, as a Space's is at each restart."""

from __future__ import annotations

import shutil
from pathlib import Path

from app.services.arena import open_arena
from app.services.engines import EngineManager
from app.services.health import HealthMonitor
from app.services.settings import AppSettings
from hypersd.arena.service.battles import BattleService
from hypersd.arena.storage import StorageConfig
from hypersd.arena.votes.keys import voter_key
from hypersd.models.registry import FAMILIES
from tests.arena.conftest import Postgres
from tests.arena.voted import vote


def test_postgresql_and_a_bucket_lose_nothing(postgres: Postgres, tmp_path: Path) -> None:
    data, bucket = tmp_path / "data", tmp_path / "bucket"
    database = postgres.database("wiped")
    storage = StorageConfig(data=data, database=database, pictures=f"file://{bucket}")
    store, pictures = storage.open()
    data.mkdir(exist_ok=True)
    key = voter_key(store.engine, "", data / "voters.key")
    kept = [vote(store, pictures, number, voter=f"voter {number}") for number in range(3)]
    store.engine.dispose()
    shutil.rmtree(data)
    opened = open_arena(EngineManager({"emoji": FAMILIES["emoji"]}, "emoji"), AppSettings(storage=storage))
    assert opened is not None
    assert HealthMonitor(opened.engines, opened, data).report().lost_with_disk == "none"
    store, pictures = opened.store, opened.pictures
    assert list(store.votes()) == kept
    assert voter_key(store.engine, "", data / "voters.key") == key, "voters keep their pseudonyms"
    battle = BattleService(store).next_battle("voter 0")
    assert battle is not None, "pairs can be voted on"
    assert all(pictures.open(entry.picture).size == (8, 8) for entry in battle.sides)
    store.engine.dispose()
