"""The log of the page, as `python app.py` writes it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

SECRETS = {
    "HF_TOKEN": "hf_abcdefghijklmnopqrst",
    "HYPERSD_SECRET": "sesame-of-voters",
    "HYPERSD_OWNER_TOKEN": "sesame-of-owner",
    "DATABASE_URL": "postgresql+psycopg://ann:rosebud@127.0.0.1:1/votes",
}


@pytest.fixture
def stderr(root: Path, tmp_path: Path, emoji_folder: Path) -> list[str]:
    """Lines that the page has written when its store did not answer and its health was asked."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {"HYPERSD_DATA": str(tmp_path), "HYPERSD_EMOJI": str(emoji_folder), "GRADIO_SERVER_PORT": str(port)}
    environment = {**os.environ, **SECRETS, **places, "HYPERSD_LOG": "json"}
    with (tmp_path / "stderr").open("w") as file:
        page = subprocess.Popen([sys.executable, "app.py"], cwd=root, env=environment, stdout=file, stderr=file)
    try:
        end = time.monotonic() + 120
        answer = None
        while answer is None and time.monotonic() < end and page.poll() is None:
            time.sleep(0.3)
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/health", timeout=30)
            except httpx.TransportError:
                continue
        assert answer is not None, (tmp_path / "stderr").read_text()
        assert answer.status_code == 503, "the store does not answer"
        assert not [value for value in (*SECRETS.values(), "rosebud") if value in answer.text]
    finally:
        page.terminate()
        page.wait(timeout=60)
    return (tmp_path / "stderr").read_text().splitlines()


def test_the_page_logs_json_without_secrets(stderr: list[str]) -> None:
    records = [json.loads(line) for line in stderr if line.startswith("{")]
    closed = [record for record in records if "the arena stays closed" in record["message"]]
    assert len(closed) == 1
    assert closed[0]["level"] == "ERROR"
    assert "Traceback" in closed[0]["exception"]
    others = [line for line in stderr if line and not line.startswith(("{", "* "))]
    assert not others, "Gradio's greeting on stdout is the only text"
    text = "\n".join(stderr)
    assert not [value for value in (*SECRETS.values(), "rosebud") if value in text]
