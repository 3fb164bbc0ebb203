"""Resident memory of the running page, on a Space's smallest hardware: 2 cores, 16 GB (Linux).

    python -m benchmarks.memory [--pairs 10] [--voters 8] [--seconds 30] [--limit-gb 2.5]

The page is started as on a Space, with the shipped family. It draws every model at every number of steps for a visitor,
prepares pairs, and serves voters meanwhile. Printed is the memory of the process that serves after each part, and the
most that it ever held, which may not exceed the limit; and the memory of it and its worker together at the end, where
pages that both use are counted once. `HYPERSD_DRAWING=here` measures a page without a worker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil
from gradio_client import Client

from benchmarks.arena_voters import load
from benchmarks.served import Server
from hypersd.arena.store.store import Store

_STEPS = (1, 2, 4, 8, 25)
_MODELS = {
    "base": _STEPS,
    "hyper": (1, 2, 4, 8),
    "lightning": (1, 2, 4),
    "turbo": (1, 2, 4),
    "hyper-unified": (1, 2, 4, 8),
}


def resident_gb(server: Server, name: str = "VmRSS") -> float:
    """Memory of the server's process in GB: now, or the most so far (`VmHWM`)."""
    assert server.process
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024 / 1e9


def together_gb(server: Server) -> float:
    """Memory in GB of the server's process and those that it started; a shared page is counted once (PSS)."""
    assert server.process
    whole = psutil.Process(server.process.pid)
    return sum(process.memory_full_info().pss for process in (whole, *whole.children(recursive=True))) / 1e9


def measure(pairs: int, voters: int, seconds: float) -> dict[str, float]:
    """Memory in GB after each part, and at most."""
    with tempfile.TemporaryDirectory(prefix="hypersd-memory-") as folder:
        server = Server(Path(folder))
        server.start()
        try:
            measured = {"serving": resident_gb(server)}
            client = Client(server.url, verbose=False)
            for model, steps in _MODELS.items():
                client.predict("a big cat on a blue background", 7, "emoji", [model], list(steps), api_name="/compare")
            measured["every model drawn"] = resident_gb(server)
            store = Store(f"sqlite:///{folder}/arena.sqlite")
            while store.pairs.pool_size(None) < pairs:
                time.sleep(1)
            store.engine.dispose()
            measured[f"{pairs} pairs prepared"] = resident_gb(server)
            asyncio.run(load(server, voters, seconds, kills=0))
            measured[f"{voters} voters"] = resident_gb(server)
            client.close()
            return measured | {"at most": resident_gb(server, "VmHWM"), "with the worker": together_gb(server)}
        finally:
            server.kill()


def main() -> None:
    """Measure, and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--voters", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--limit-gb", type=float, default=2.5)
    options = parser.parse_args()
    measured = measure(options.pairs, options.voters, options.seconds)
    print(json.dumps({name: round(value, 2) for name, value in measured.items()}))
    if measured["at most"] > options.limit_gb:
        sys.exit(f"more than {options.limit_gb:g} GB")


if __name__ == "__main__":
    main()
