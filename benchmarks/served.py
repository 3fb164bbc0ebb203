"""A server in a process of its own, for benchmarks: its start, its end, and its use of the processor and of memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.startup import free_port

ROOT = Path(__file__).resolve().parents[1]
PAGE = ("app.py",)
STILL = ("-m", "benchmarks.arena_still")
_TOKEN = "x" * 32


@dataclass
class Server:
    """A server of the arena's routes, on the shipped family.

    Args:
        folder: of its data.
        command: Python's arguments: the page, or a module that serves the same routes.
        variables: of its environment, besides its folder and its port.
    """

    folder: Path
    command: Sequence[str] = PAGE
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address at which it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it answers.

        Raises:
            RuntimeError: it ended, or has not answered within two minutes.
        """
        environment = {
            **os.environ,
            "GRADIO_SERVER_PORT": str(self.port),
            "HYPERSD_DATA": str(self.folder),
            "HF_HUB_OFFLINE": "1",
            "HYPERSD_SECRET": "benchmark",
            **self.variables,
        }
        self.process = subprocess.Popen(
            [sys.executable, *self.command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with httpx.Client(base_url=self.url, headers={"x-voter": _TOKEN}) as http:
            for _ in range(1200):
                with suppress(httpx.HTTPError):
                    if http.post("/arena/progress", json={}).is_success:
                        return
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise RuntimeError("the server does not answer; start it by hand to see why")

    def kill(self) -> None:
        """Kill it without warning."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def cpu_ms(self) -> float:
        """Milliseconds of the processor that it has used since it started (Linux)."""
        assert self.process
        return process_cpu_ms(self.process.pid)

    def memory_mib(self, name: str = "VmRSS") -> float:
        """The memory that it holds, or ever held (`VmHWM`), in MiB (Linux)."""
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def process_cpu_ms(pid: int) -> float:
    """Milliseconds of the processor that a process has used since it started (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
