"""The supply of prepared pairs. That a page's pool is filled by a process of its own: see test_arena.py."""

from __future__ import annotations

import threading

import pytest

from app.services.arena import Arena
from app.services.pair_supply import PairSupply


def test_probabilities_are_not_recomputed_for_each_pair(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("app.services.pair_supply.next_pair_probabilities", lambda *given: asked.append(given) or {})
    sources = arena.engines, arena.store, arena.pictures, arena.studies
    supply = PairSupply(*sources, arena.metrics, threading.Event(), arena.engines.busy, arena.low)
    for _ in range(3):
        assert supply.pair_probabilities() == {}
    assert len(asked) == 1
