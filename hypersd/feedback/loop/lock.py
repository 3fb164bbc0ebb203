"""One round at a time in a loop's folder, whoever starts it: a terminal or the page.

The lock is an open file that the process which does the rounds holds: it is free when that is gone, however it came
about. So a number that a crash left in the file holds nobody up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hypersd.utils.environment import Environment

_FILE = "round.lock"
_WAIT_SECONDS, _POLL_SECONDS = 1.0, 0.02


class LockHeldError(ValueError):
    """Somebody else does rounds in this folder."""


def lock(file: TextIO) -> bool:
    """Lock an open file, until all that have it are gone or close it; false if somebody else has."""
    import fcntl  # noqa: PLC0415 - not on Windows, where the rest works

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def lock_file(folder: Path) -> Generator[TextIO]:
    """The file to be locked; closed at the end, so what nobody else has inherited is free again.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    with (folder / _FILE).open("a+", encoding="utf-8") as file:
        yield file


def write_pid(file: TextIO, process: int) -> None:
    """Say in the locked file who does the rounds."""
    file.truncate(0)
    file.write(f"{process}\n")
    file.flush()


def owner_pid(folder: Path) -> int | None:
    """The process that does rounds in a folder now; None if nobody does."""
    if not (folder / _FILE).exists():
        return None
    while True:
        with lock_file(folder) as file:
            if lock(file):
                return None
            file.seek(0)
            if (text := file.read()).endswith("\n"):  # else it is being signed this moment
                return int(text)
        time.sleep(_POLL_SECONDS)


@contextmanager
def round_lock(folder: Path) -> Generator[None]:
    """Keep others from doing rounds in a folder for as long as this lasts.

    Raises:
        LockHeldError: somebody does.
        OSError: the folder is missing or cannot be written.
    """
    if Environment.read().holds_round_lock or os.name == "nt":
        yield
        return
    with lock_file(folder) as file:
        end = time.monotonic() + _WAIT_SECONDS
        while not lock(file):  # who asks for the holder locks the file for a moment
            if time.monotonic() > end:
                raise LockHeldError(f"a round is running in {folder} already; wait for it, or name another folder")
            time.sleep(_POLL_SECONDS)
        write_pid(file, os.getpid())
        yield
