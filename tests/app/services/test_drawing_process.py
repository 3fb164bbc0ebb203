"""A page's process for pairs, with a small script in place of the models."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

from app.services.drawing_process import DrawingProcess, worker_environment
from app.services.page_metrics import PageMetrics
from app.services.pair_worker import PageLink
from app.services.settings import AppSettings
from hypersd.arena.storage import StorageConfig
from tests.app.services.test_arena_workers import wait_for

REPORTS = """
import json, sys
print("a library's message", flush=True)
for line in sys.stdin:
    print(json.dumps(["emoji", "hyper", float(line)]), flush=True)
    if line == "1\\n":
        sys.exit(3)
"""


def drawn(metrics: PageMetrics, part: str) -> float:
    labels = {"family": "emoji", "model": "hyper"}
    return metrics.registry.get_sample_value(f"hypersd_draw_seconds_{part}", labels) or 0.0


def test_a_worker_hears_of_visitors_reports_pictures_and_is_started_again() -> None:
    metrics, visitor, stop = PageMetrics(), threading.Event(), threading.Event()
    command = (sys.executable, "-c", REPORTS)
    process = DrawingProcess(os.environ, visitor.is_set, metrics, command, pause=0.01)
    thread = threading.Thread(target=process.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: drawn(metrics, "count") >= 1)
        assert drawn(metrics, "sum") == 0, "nobody waits"
        first = process.worker
        visitor.set()
        wait_for(lambda: drawn(metrics, "sum") >= 2)
        assert first is not process.worker, "it ended, and another one was started"
    finally:
        stop.set()
        thread.join(timeout=30)
    assert not thread.is_alive()
    assert process.worker is not None
    assert process.worker.returncode is not None, "it ends with the page"


def test_a_worker_stops_when_its_page_has_ended() -> None:
    stop, reports = threading.Event(), io.StringIO()
    link = PageLink(stop, reports)
    link.listen(io.StringIO("1\n"))
    assert link.busy()
    assert stop.is_set()
    link.count_draw("emoji", "hyper", None)
    assert reports.getvalue() == '["emoji", "hyper", null]\n'


def test_a_worker_gets_the_page_s_store_and_family_but_no_secret(tmp_path: Path) -> None:
    storage = StorageConfig(data=tmp_path, database="sqlite:///x.sqlite")
    secrets = {"secret": "hidden", "owner_token": "hidden too"}
    variables = worker_environment(AppSettings(storage=storage, **secrets))
    assert variables["DATABASE_URL"] == "sqlite:///x.sqlite"
    assert variables["HYPERSD_DATA"] == str(tmp_path)
    assert not set(secrets.values()) & set(variables.values())


def test_a_worker_imports_nothing_of_the_page_s_server(root: Path) -> None:
    code = "import sys, app.services.pair_worker; sys.exit(bool({'gradio', 'fastapi', 'pandas'} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_pairs_of_large_weights_are_drawn_by_the_page_itself(tmp_path: Path) -> None:
    assert AppSettings().draws == "apart"
    assert AppSettings(family="sdxl").draws == "here", "they would be in memory twice"
    assert AppSettings(family="sdxl", drawing="elsewhere").draws == "elsewhere"
