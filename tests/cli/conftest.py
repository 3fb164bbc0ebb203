"""Calling the command line inside the test's own process, and a family that is drawn at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hypersd.cli.main import main
from hypersd.models.families.embedded import EMOJI
from tests.families import emoji_family


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result of a command: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON on standard output; fails if there is anything else."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line that bad input gets; fails if it is not just that."""
        assert self.status == 2, self
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("hypersd: error: ")
        return lines[0].removeprefix("hypersd: error: ")


Call = Callable[..., Result]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command, as `call("compare", "a cat", "--out", folder)`."""

    def called(*words: object) -> Result:
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:
            status = int(stop.code or 0)
        printed = capsys.readouterr()
        return Result(status=status, out=printed.out, err=printed.err)

    return called


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random family of the embedded one's form."""
    folder = tmp_path_factory.mktemp("tiny") / "emoji-xl"
    emoji_family(EMOJI, folder)
    return folder


@pytest.fixture
def tiny(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded family is the tiny one."""
    monkeypatch.setenv("HYPERSD_EMOJI", str(tiny_folder))
