"""The supply of prepared pairs. That a page's pool is filled by a process of its own: see test_arena.py."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

import pytest

from app.services.arena import Arena
from app.services.pair_supply import PairProbabilities, PairSupply
from hypersd.sampling.comparison import Event, compare
from hypersd.sampling.request import Request
from tests.app.services.test_arena_workers import wait_for


def test_probabilities_are_not_recomputed_for_each_pair(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("app.services.pair_supply.next_pair_probabilities", lambda *given: asked.append(given) or {})
    probabilities = PairProbabilities(arena.store, arena.labels)
    for _ in range(3):
        assert probabilities() == {}
    assert len(asked) == 1


def test_pairs_can_be_drawn_elsewhere(arena: Arena) -> None:
    stop, asked = threading.Event(), list[Request]()

    def draw_all(requests: Sequence[Request]) -> Iterator[Iterable[Event]]:
        engine = arena.engines.engine(timeout=60)
        assert engine
        for request in requests:
            asked.append(request)
            yield compare(request, engine)

    arena.engines.wake()
    places = arena.engines, arena.store, arena.pictures, arena.studies, arena.metrics
    supply = PairSupply(*places, stop, busy=lambda: False, low=1, draw_all=draw_all)
    thread = threading.Thread(target=supply.run, daemon=True)
    thread.start()
    wait_for(lambda: arena.store.pairs.count(None) > 0)
    stop.set()
    thread.join(timeout=60)
    assert asked
