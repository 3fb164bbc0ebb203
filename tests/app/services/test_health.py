"""State of the page."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.services.arena import Arena
from app.services.engines import EngineManager
from app.services.health import HealthMonitor, without_folders
from hypersd import __version__
from hypersd.arena.dataset.publish import Publisher
from hypersd.arena.votes.battle import now
from hypersd.models.registry import FAMILIES
from tests.arena.conftest import pair


@pytest.fixture
def monitor(arena: Arena, tmp_path: Path) -> HealthMonitor:
    return HealthMonitor(arena.engines, arena, tmp_path, waiting=lambda: 3)


def test_a_page_that_has_just_started_is_well(monitor: HealthMonitor, arena: Arena) -> None:
    arena.store.pairs.add(pair("emoji/hyper@4", "emoji/base@25"))
    report = monitor.report()
    assert (report.status, report.version, report.publishing, report.failures) == ("ok", __version__, None, ())
    (family,) = report.families
    assert (family.name, family.state, family.models) == ("emoji", "starting", None)
    assert report.lost_with_disk == "all", "the votes are on this disk alone"
    assert (report.queue.waiting, report.queue.drawing) == (3, 0)
    assert report.supply is not None
    assert (report.supply.pairs, report.supply.wanted) == (1, arena.low)
    assert report.resident_bytes > 1e7
    assert report.free_disk_bytes > 0


def test_visitors_at_the_models_are_counted(monitor: HealthMonitor) -> None:
    with monitor.engines.drawing(), monitor.engines.drawing():
        assert monitor.report().queue.drawing == 2
    assert monitor.report().queue.drawing == 0


def test_a_family_that_cannot_be_loaded_degrades_the_page(tmp_path: Path, arena: Arena) -> None:
    arena.engines._failure = f"{tmp_path}/unet cannot be read"
    report = HealthMonitor(arena.engines, arena, tmp_path).report()
    assert (report.status, report.families[0].state) == ("degraded", "failed")
    assert str(tmp_path) not in str(report)


def test_a_first_family_without_a_model_that_can_run_degrades_the_page(tmp_path: Path, arena: Arena) -> None:
    (tmp_path / "model_index.json").write_text("nonsense")
    families = {"emoji": replace(FAMILIES["emoji"], folder=tmp_path), "sdxl": FAMILIES["sdxl"]}
    report = HealthMonitor(awake(EngineManager(families, "emoji")), arena, tmp_path).report()
    assert (report.status, report.families[0].models) == ("degraded", 0)


def awake(engines: EngineManager) -> EngineManager:
    """The engines, when the first family is loaded or has failed."""
    engines.wake()
    engines._waker.join(timeout=60)
    assert engines.awake
    return engines


def test_a_store_that_is_gone_makes_the_page_unavailable(monitor: HealthMonitor, arena: Arena, tmp_path: Path) -> None:
    arena.store.engine.dispose()
    shutil.rmtree(tmp_path)
    report = monitor.report()
    assert (report.status, report.supply, report.publishing) == ("unavailable", None, None)
    assert report.lost_with_disk is None
    assert report.free_disk_bytes > 0, "of the disk where the folder was"


def test_without_a_store_the_page_is_unavailable(tmp_path: Path, arena: Arena) -> None:
    assert HealthMonitor(arena.engines, None, tmp_path).report().status == "unavailable"


def test_publishing_is_told_with_its_age_and_its_failures(monitor: HealthMonitor, arena: Arena, tmp_path: Path) -> None:
    arena.publish = str(tmp_path / "published")
    before = monitor.report().publishing
    assert before is not None
    assert (before.age_seconds, before.waiting, before.failed_attempts) == (None, 0, 0)
    arena.publisher = Publisher(arena.store, arena.pictures, arena.publish)
    assert arena.publisher.attempt()
    well = monitor.report()
    assert well.publishing is not None
    assert well.publishing.age_seconds is not None
    assert 0 <= well.publishing.age_seconds < 60
    assert well.status == "ok"


def test_a_failure_of_publishing_degrades_the_page_and_names_no_folder(
    monitor: HealthMonitor, arena: Arena, tmp_path: Path
) -> None:
    arena.publish = str(tmp_path / "published")
    arena.publisher = Publisher(arena.store, arena.pictures, arena.publish)
    reason = f"{tmp_path}/published/human/x.parquet: 2 rows are not votes"
    arena.publisher.health = replace(arena.publisher.health, last=now(), failure=reason)
    report = monitor.report()
    assert report.publishing is not None
    assert report.status == "degraded"
    assert report.publishing.failure == "x.parquet: 2 rows are not votes"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file: '/home/ann/data/a.parquet'", "No such file: 'a.parquet'"),
        ("hf://datasets/ann/votes does not answer", "hf://datasets/ann/votes does not answer"),
        ("https://huggingface.co/api/datasets: 503", "https://huggingface.co/api/datasets: 503"),
        ("either/or and 1/2", "either/or and 1/2"),
        (r"C:\Users\ann\votes.parquet is damaged", "votes.parquet is damaged"),
        ("/home/ann", "ann"),
    ],
)
def test_paths_are_reduced_to_their_names(text: str, shown: str) -> None:
    assert without_folders(text) == shown
