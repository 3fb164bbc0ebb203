"""The page's state as metrics."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from app.services.arena import Arena
from app.services.health import HealthMonitor
from app.services.health_collector import HealthCollector
from hypersd.arena.dataset.publish import Publisher
from tests.arena.conftest import pair


def test_the_numbers_are_those_of_the_report(arena: Arena, tmp_path: Path) -> None:
    registry = arena.metrics.registry
    registry.register(HealthCollector(HealthMonitor(arena.engines, arena, tmp_path, waiting=lambda: 5).report))
    arena.store.pairs.add(pair())
    assert registry.get_sample_value("hypersd_up") == 1
    assert registry.get_sample_value("hypersd_queue_waiting") == 5
    assert registry.get_sample_value("hypersd_prepared_pairs") == 1
    assert registry.get_sample_value("hypersd_publish_failures_total") == 0
    assert registry.get_sample_value("hypersd_unpublished_votes") is None, "votes are not published"
    with arena.engines.drawing():
        assert registry.get_sample_value("hypersd_queue_drawing") == 1


def test_failures_of_publishing_are_counted(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    arena.publish = str(tmp_path / "file")
    arena.publisher = Publisher(arena.store, arena.pictures, arena.publish)
    report = HealthMonitor(arena.engines, arena, tmp_path).report
    arena.metrics.registry.register(HealthCollector(report))
    arena.publisher.health = replace(arena.publisher.health, failure="")
    for _ in range(2):
        arena.publisher.aside["vote"] = "its picture is lost"
        arena.publisher._unread = "votes published before could not be restored"
        arena.publisher.attempt()
    assert arena.metrics.registry.get_sample_value("hypersd_publish_failures_total") == 2
    assert arena.metrics.registry.get_sample_value("hypersd_unpublished_votes") == 0


def test_a_store_that_is_gone_is_a_zero_not_an_error(arena: Arena, tmp_path: Path) -> None:
    arena.metrics.registry.register(HealthCollector(HealthMonitor(arena.engines, arena, tmp_path).report))
    arena.store.engine.dispose()
    shutil.rmtree(tmp_path)
    assert arena.metrics.registry.get_sample_value("hypersd_up") == 0
    assert arena.metrics.registry.get_sample_value("hypersd_prepared_pairs") is None
