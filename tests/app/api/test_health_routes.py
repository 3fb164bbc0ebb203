"""`GET /health` over HTTP."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import gradio as gr
import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.api.health_routes import health_routes
from app.services.arena import Arena, open_arena
from app.services.engines import EngineManager
from app.services.health import HealthMonitor
from app.services.settings import AppSettings
from hypersd import __version__
from hypersd.arena.storage import StorageConfig
from hypersd.models.registry import FAMILIES
from tests.families import SMALL_POOL

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    engines = EngineManager({"emoji": FAMILIES["emoji"]}, "emoji")
    settings = AppSettings(
        storage=StorageConfig(data=tmp_path / "data"),
        publish=str(tmp_path / "published"),
        secret="sesame-open",  # noqa: S106 - of nobody
    )
    opened = open_arena(engines, settings)
    assert opened is not None
    return opened


@pytest.fixture
def client(arena: Arena, tmp_path: Path) -> TestClient:
    return TestClient(Starlette(routes=health_routes(HealthMonitor(arena.engines, arena, tmp_path / "data"))))


def test_programs_get_json(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    report = answer.json()
    assert set(report) == {
        *("status", "version", "uptime_seconds", "families", "queue", "supply", "publishing", "failures"),
        *("lost_with_disk", "resident_bytes", "free_disk_bytes"),
    }
    assert (report["status"], report["version"]) == ("ok", __version__)
    assert report["publishing"] == {
        "age_seconds": None,
        "waiting": 0,
        "failed_attempts": 0,
        "failure": "",
        "window_seconds": 330,
    }
    assert report["lost_with_disk"] == "window"


def test_browsers_get_a_page(client: TestClient) -> None:
    answer = client.get("/health", headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Health: ok</h1>" in answer.text
    assert FAMILIES["emoji"].title in answer.text
    assert "at most those of the last 330 s, none after an orderly end" in answer.text


@pytest.mark.parametrize("headers", [{}, BROWSER])
def test_no_secret_and_no_path_is_shown(
    client: TestClient, arena: Arena, tmp_path: Path, headers: dict[str, str]
) -> None:
    text = client.get("/health", headers=headers).text
    for hidden in (str(tmp_path), "sesame-open", arena.key.secret.hex(), "testclient", "127.0.0.1"):
        assert hidden not in text


@pytest.mark.parametrize("headers", [{}, BROWSER])
def test_a_store_that_cannot_be_reached_is_503(
    client: TestClient, arena: Arena, tmp_path: Path, headers: dict[str, str]
) -> None:
    arena.store.engine.dispose()
    shutil.rmtree(tmp_path / "data")
    answer = client.get("/health", headers=headers)
    assert answer.status_code == 503
    assert "unavailable" in answer.text
    assert str(tmp_path) not in answer.text


def test_reports_are_used_again_for_a_second(client: TestClient) -> None:
    assert client.get("/health").json() == client.get("/health").json()


def test_values_are_escaped(arena: Arena, tmp_path: Path) -> None:
    monitor = HealthMonitor(arena.engines, arena, tmp_path)
    monitor.failures.handle(logging.LogRecord("app", logging.ERROR, "", 0, "<script>alert(1)</script>", None, None))
    text = TestClient(Starlette(routes=health_routes(monitor))).get("/health", headers=BROWSER).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script" not in text


def test_the_served_page_has_the_route(demo: gr.Blocks) -> None:
    report = httpx.get(f"{demo.local_url}health", timeout=60).json()
    assert report["status"] in {"ok", "degraded"}
    assert {family["name"] for family in report["families"]} == set(FAMILIES)
    assert report["supply"]["wanted"] == SMALL_POOL
