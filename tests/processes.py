"""Processes of their own that start at once: forked from a server that has imported the libraries already.

A process that starts by itself first imports torch, diffusers and transformers, which costs a processor eight seconds.
These are as separate from the test: they have their own memory, environment, folder and output, and can be killed.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 200
"""Seconds that a process may take."""

_LIBRARIES = ("diffusers", "transformers", "accelerate", "hypersd.training.trainer", "hypersd.models.engine")
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([*_LIBRARIES])


def hypersd(*words: object) -> None:
    """Run `python -m hypersd` with these words, in a process."""
    sys.argv = ["hypersd", *map(str, words)]
    runpy.run_module("hypersd", run_name="__main__", alter_sys=True)


@dataclass(frozen=True)
class Started:
    """A process that was started, and the files that it prints into."""

    process: ForkServerProcess
    out: Path
    err: Path

    def done(self, patience: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Wait for its end, and tell its status and what it printed; it is killed if it takes too long."""
        self.process.join(patience)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        status = self.process.exitcode
        assert status is not None
        return subprocess.CompletedProcess([], status, self.out.read_text(), self.err.read_text())


@dataclass(frozen=True)
class Processes:
    """Starts processes; `folder` is where they print."""

    folder: Path
    started: list[Started] = field(default_factory=list[Started])

    def start(
        self,
        target: Callable[..., object],
        *arguments: object,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> Started:
        """Start a process that calls a function of a module; `environment` is added to the test's own."""
        number = len(self.started)
        out, err = (self.folder / f"{number}.{name}" for name in ("out", "err"))
        given = {**os.environ, **(environment or {})}
        process = _SERVER.Process(target=_called, args=(target, arguments, cwd, given, out, err))
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = str(ROOT)  # the server, which the first process starts, imports from it
        try:
            process.start()
        finally:
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before
        self.started.append(Started(process, out, err))
        return self.started[-1]

    def run(self, target: Callable[..., object], *arguments: object) -> subprocess.CompletedProcess[str]:
        """Call a function in a process of its own, and wait for its end."""
        return self.start(target, *arguments).done()

    def run_together(
        self, count: int, target: Callable[..., object], *arguments: object
    ) -> Sequence[subprocess.CompletedProcess[str]]:
        """Call a function in processes connected as those of `torchrun`; if one fails, the others are ended."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        size = {"WORLD_SIZE": f"{count}", "LOCAL_WORLD_SIZE": f"{count}"}
        place = {**size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}"}
        group = [
            self.start(target, *arguments, environment={**place, "RANK": f"{rank}", "LOCAL_RANK": f"{rank}"})
            for rank in range(count)
        ]
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and all(member.process.exitcode in {None, 0} for member in group):
            running = [member for member in group if member.process.exitcode is None]
            if not running:
                break
            running[0].process.join(0.05)
        return [member.done(patience=0) for member in group]

    def kill(self) -> None:
        """End those that still run."""
        for started in self.started:
            started.process.kill()
            started.process.join()
            started.process.close()


def _called(  # noqa: PLR0917 - as a process gets them
    target: Callable[..., object],
    arguments: Sequence[object],
    cwd: Path,
    environment: Mapping[str, str],
    out: Path,
    err: Path,
) -> None:
    """Call a function, in the process that was started for it."""
    os.setsid()
    for stream, file in ((1, out), (2, err)):
        written = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(written, stream)
        os.close(written)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    target(*arguments)
