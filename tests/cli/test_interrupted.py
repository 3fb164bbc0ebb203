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

PROMPT = "a big cat on a blue background"


def started(root: Path, tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    environment = {**os.environ, "HYPERSD_DATA": str(tmp_path / "data"), "PYTHONPATH": str(root)}
    return subprocess.Popen(
        [sys.executable, "-m", "hypersd", *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("words", [("evaluate", "--count", "64"), ("emoji", "train")], ids=" ".join)
def test_ctrl_c_is_one_line_and_status_130(root: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    process = started(root, tmp_path, *words, "--out", "out")
    end = time.monotonic() + 120
    while not (tmp_path / "out").exists() and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("hypersd: error: interrupted")
    assert out == ""
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
