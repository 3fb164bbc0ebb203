"""Fixtures of this folder's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.services.arena import Arena, open_arena
from app.services.engines import EngineManager
from app.services.settings import AppSettings
from hypersd.arena.storage import StorageConfig
from hypersd.models.registry import FAMILIES


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    """An arena whose models never load."""
    opened = open_arena(
        EngineManager({"emoji": FAMILIES["emoji"]}, "emoji"), AppSettings(storage=StorageConfig(data=tmp_path))
    )
    assert opened is not None
    yield opened
    opened.store.engine.dispose()
