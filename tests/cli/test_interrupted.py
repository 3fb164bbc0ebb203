"""Ctrl-C, a full disk, a database that goes away: one line, and an exit status that says which."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from hypersd.cli.parser import guarded
from tests.cli.broken import files_below
from tests.processes import Processes, hypersd


@pytest.mark.parametrize(
    ("words", "begun"),
    [
        (("evaluate", "--count", "64", "--models", "turbo", "--steps", "1"), "measured/00000.safetensors"),
        (("emoji", "train"), "autoencoder/run.json"),
    ],
    ids=["evaluate", "emoji train"],
)
def test_ctrl_c_is_one_line_and_status_130(
    processes: Processes, tmp_path: Path, words: tuple[str, ...], begun: str
) -> None:
    environment = {"HYPERSD_DATA": str(tmp_path / "data")}
    command = processes.start(hypersd, *words, "--out", "out", cwd=tmp_path, environment=environment)
    end = time.monotonic() + 120
    while not (tmp_path / "out" / begun).exists():
        assert time.monotonic() < end, "it has not begun"
        time.sleep(0.02)
    os.kill(command.process.pid or 0, signal.SIGINT)
    done = command.done()
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].endswith("hypersd: error: interrupted")
    assert done.stdout == ""
    assert not [name for name in files_below(tmp_path) if name.endswith(".part") or "unfinished" in name]


def test_a_full_disk_is_one_line(root: Path, tmp_path: Path) -> None:
    """A limit on the size of files is met as a full disk is: writing fails."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
        "from hypersd.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "emoji", "render", "--count", "2", "--side", "512", "--out", "out"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "File too large" in done.stderr


def test_a_database_that_goes_away_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def away() -> int:
        raise OperationalError("SELECT 1", None, ConnectionError("server closed the connection\nunexpectedly"))

    assert guarded(away) == 2
    assert capsys.readouterr().err.startswith("hypersd: error: the vote store does not answer any more (")


def test_other_faults_of_the_database_are_not_hidden() -> None:
    def fault() -> int:
        raise IntegrityError("INSERT", None, ValueError("twice"))

    with pytest.raises(IntegrityError):
        guarded(fault)
