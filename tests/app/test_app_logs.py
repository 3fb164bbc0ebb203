"""The log of the page."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from app.build import launch
from app.services.settings import AppSettings
from hypersd.arena.storage import StorageConfig
from tests.families import SMALL_POOL

SECRETS = {
    "HF_TOKEN": "hf_abcdefghijklmnopqrst",
    "HYPERSD_SECRET": "sesame-of-voters",
    "HYPERSD_OWNER_TOKEN": "sesame-of-owner",
    "DATABASE_URL": "postgresql+psycopg://ann:rosebud@127.0.0.1:1/votes",
}
SCRIPT = """
import logging
from app.build import build
from app.services.settings import AppSettings
from hypersd.utils.environment import Environment, secrets
from hypersd.utils.log_format import configure_logging
environment = Environment.read()
configure_logging(environment.log, secrets())
build(AppSettings.from_environment(environment))
logging.getLogger("app").error("the environment is %s", environment.variables())
"""


def test_a_page_without_its_store_logs_json_without_secrets(root: Path, tmp_path: Path) -> None:
    environment = {**os.environ, **SECRETS, "HYPERSD_DATA": str(tmp_path), "HYPERSD_LOG": "json"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    records = [json.loads(line) for line in done.stderr.splitlines()]
    (closed,) = (record for record in records if "the arena stays closed" in record["message"])
    assert closed["level"] == "ERROR"
    assert closed["exception"].startswith("Traceback")
    assert "ann:***@127.0.0.1" in records[-1]["message"] or "'DATABASE_URL': '***" in records[-1]["message"]
    assert not [value for value in (*SECRETS.values(), "rosebud") if value in done.stderr]


def test_the_web_server_s_logs_go_where_ours_go(emoji_folder: Path, tmp_path: Path) -> None:
    # A server sets the loggers of its whole process at its start: the one that other tests share may not be the last.
    served = launch(
        AppSettings(drawing="here", emoji=emoji_folder, storage=StorageConfig(data=tmp_path), pool=SMALL_POOL),
        block=False,
        quiet=True,
        server_name="127.0.0.1",
    )
    try:
        for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
            assert logging.getLogger(name).handlers == []
            assert logging.getLogger(name).propagate
    finally:
        served.close()
