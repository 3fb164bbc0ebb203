"""The page's process from its start to its end, on a Space whose disk is wiped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfFileSystem

from benchmarks.startup import free_port
from hypersd.arena.dataset.publish import restore
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Vote
from hypersd.arena.votes.images import ImageStore
from tests.arena.voted import fresh, vote
from tests.repo_hub import serve, use


def ask(url: str, words: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer of the page, once it gives one."""
    data = None if words is None else json.dumps(words).encode()
    headers = {"content-type": "application/json", "x-voter": "v" * 32}
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError) or time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_a_signal_to_end_publishes_first(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, pictures = Store(f"sqlite:///{tmp_path}/data/arena.sqlite"), ImageStore(str(tmp_path / "data" / "pictures"))
    before: Vote = vote(store, pictures, 1)  # its pair is there for other voters
    store.engine.dispose()
    with serve("dataset", "me/votes") as hub:
        page = f"http://127.0.0.1:{(port := free_port())}"
        variables = {
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "HYPERSD_DATA": str(tmp_path / "data"),
            "HYPERSD_EMOJI": str(tmp_path),  # no models, which would only take time
            "HYPERSD_PUBLISH": "hf://datasets/me/votes",
            "HF_ENDPOINT": hub.address,
            "HF_TOKEN": "hf_test",
            "HF_HUB_OFFLINE": "0",
        }
        process = subprocess.Popen([sys.executable, "app.py"], cwd=root, env={**os.environ, **variables})
        try:
            battle = ask(f"{page}/arena/draw", {})["battle"]
            assert battle
            ask(f"{page}/arena/show", {"battle": battle})
            assert ask(f"{page}/arena/vote", {"battle": battle, "choice": "tie"})["receipt"]
            health = ask(f"{page}/health")
            assert health["lost_with_disk"] == "window"
            assert health["publishing"]["window_seconds"] == 330
            assert not [path for path in hub.files if path.endswith(".parquet")]
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.wait()
        use(hub, monkeypatch)
        other, elsewhere = fresh(tmp_path, "wiped")
        assert restore(other, elsewhere, "hf://datasets/me/votes") == 2
        restored = {one.battle.id: one.choice for one in other.votes()}
        assert restored == {before.battle.id: before.choice, battle: "tie"}
        other.engine.dispose()
    HfFileSystem.clear_instance_cache()
