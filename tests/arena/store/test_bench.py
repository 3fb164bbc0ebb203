"""The benched contestants of a store, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant


def test_two_replicas_bench_a_contestant_at_once(store: Store) -> None:
    hyper = Contestant.parse("emoji/hyper@4")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: store.bench.add(hyper, f"reason {number}"), range(24)))
    assert list(store.bench.reasons()) == [hyper]


def test_a_benched_contestant_is_named_with_its_reason(store: Store) -> None:
    hyper = Contestant.parse("emoji/hyper@4")
    store.bench.add(hyper, "out of memory")
    store.bench.add(hyper, "it fails")
    assert store.bench.reasons() == {hyper: "it fails"}
    store.bench.remove(hyper)
    assert store.bench.reasons() == {}
