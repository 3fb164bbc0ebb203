"""Startup time of the page: `python app.py` until its first answer, against a bare import of its libraries.

The aim is a ratio of at most 1.5. Run it on a machine that does nothing else: `python -m benchmarks.startup`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BARE = "import gradio, torch, diffusers; from diffusers import StableDiffusionXLPipeline"
_PATIENCE = 300


def bare_import() -> float:
    """Seconds to start Python and import gradio, torch and diffusers' SDXL pipeline, nothing else."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", BARE], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


def page() -> float:
    """Seconds from starting `python app.py` until it answers a request for the page.

    Raises:
        RuntimeError: it ends, or does not answer within five minutes.
    """
    port = free_port()
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1"}
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while not answers(port):
                if process.poll() is not None or time.perf_counter() - start > _PATIENCE:
                    raise RuntimeError(f"app.py did not answer; start it by hand to see why (exit {process.poll()})")
                time.sleep(0.02)
            return time.perf_counter() - start
        finally:
            process.terminate()


def free_port() -> int:
    """A free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    """True if the page is served at this port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    """Measure both a few times in turn, and print the medians and their ratio as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="after one that warms the disk's cache")
    rounds = parser.parse_args().rounds
    bare_import()
    pairs = [(bare_import(), page()) for _ in range(rounds)]
    bare, answered = (statistics.median(times) for times in zip(*pairs, strict=True))
    measured = {"bare_import_s": bare, "page_s": answered, "ratio": answered / bare}
    print(json.dumps({name: round(value, 2) for name, value in measured.items()}))


if __name__ == "__main__":
    main()
