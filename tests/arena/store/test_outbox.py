"""Outbox of votes, and restored votes, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from tests.arena.voted import fresh, vote


def test_publishing_and_restoring_are_idempotent(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    votes = [vote(store, pictures, number) for number in range(3)]
    assert [one.id for one in store.outbox.unpublished(2)] == [one.id for one in votes[:2]]
    store.outbox.published("shard", votes[:2])
    store.outbox.published("shard", votes[:2])
    assert store.outbox.unpublished(9) == votes[2:]
    other, _ = fresh(tmp_path, "other")
    assert [other.outbox.restore(votes) for _ in range(2)] == [3, 0]
    assert list(other.votes()) == votes
    assert other.outbox.unpublished(9) == votes, "imported votes are not published yet"
    other.outbox.published("shard", votes)
    assert other.outbox.unpublished(9) == []
    assert other.outbox.shards() == {"shard"}
    other.engine.dispose()
