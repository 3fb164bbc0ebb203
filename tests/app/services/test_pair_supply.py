"""The supply of prepared pairs. That a page's pool is filled by a process of its own: see test_arena.py."""

from __future__ import annotations

import pytest

from app.services.arena import Arena
from app.services.pair_supply import PairProbabilities


def test_probabilities_are_not_recomputed_for_each_pair(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("app.services.pair_supply.next_pair_probabilities", lambda *given: asked.append(given) or {})
    probabilities = PairProbabilities(arena.store, arena.labels)
    for _ in range(3):
        assert probabilities() == {}
    assert len(asked) == 1
