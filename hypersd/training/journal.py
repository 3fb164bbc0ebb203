"""The log of a training: its losses at intervals."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

from hypersd.utils.files import write_text


class Journal:
    """`log.jsonl`: lines of losses at intervals. Lines after step `start`, which will be repeated, are removed."""

    def __init__(self, file: Path, start: int) -> None:
        self.file = file
        if file.exists():
            kept = [
                line
                for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
                if _number(line) <= start
            ]
            write_text(file, "".join(f"{line}\n" for line in kept))

    def write(self, number: int, losses: Mapping[str, float], rate: float) -> None:
        """Add a line: the step, steps per second, the time in seconds since 1970, and the losses."""
        line = {"step": number, "steps_per_second": round(rate, 3), "time": round(time.time(), 1), **losses}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _number(line: str) -> float:
    """The step of a line; infinite if a crash left it incomplete."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
