"""Priority of requests over background work: threads of lower priority, short turns, short garbage collections."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Callable

_NICE = 10
"""Niceness of background work, at most 19: it still progresses next to a process that uses a whole core."""

_TURN_SECONDS = 0.0005
"""Switch interval of Python's threads. A request switches threads several times, and waits this long each time while a

model draws; Python's default of 5 ms adds up to more than the request's own time.
"""
_TRIM_SECONDS = 10.0


def short_turns() -> None:
    """Shorten the switch interval of Python's threads: requests are many and short, drawing is long and can wait."""
    sys.setswitchinterval(_TURN_SECONDS)


def settle_memory() -> None:
    """Exclude all present objects from later garbage collections, after one over all of them.

    A full collection stops every thread: for 0.1 to 0.6 s with the modules of the arena alone, longer with torch.
    Modules and models stay until the end, so it would free nothing. Call it when they are loaded.
    """
    gc.collect()
    gc.freeze()


def start_trimming(
    stop: threading.Event, busy: Callable[[], bool] = lambda: False, seconds: float = _TRIM_SECONDS
) -> None:
    """Return freed memory to the system at intervals, on a thread, until `stop` is set; not while `busy` says so.

    glibc keeps the memory of pictures and of weights that were merged (Linux; nothing is done elsewhere).
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        threading.Thread(target=_trim_until, args=(stop, busy, seconds, trim), name="trim", daemon=True).start()


def _trim_until(stop: threading.Event, busy: Callable[[], bool], seconds: float, trim: Callable[[int], object]) -> None:
    while not stop.wait(seconds):
        if not busy():
            trim(0)


def start_background(work: Callable[[], None], name: str) -> threading.Thread:
    """Start `work` on a daemon thread with low priority.

    Threads that it starts, such as torch's, inherit the priority. Only on Linux: elsewhere priority is per process.
    """

    def stepped_back() -> None:
        if sys.platform == "linux":
            own = os.PRIO_PROCESS, threading.get_native_id()
            os.setpriority(*own, max(_NICE, os.getpriority(*own)))  # only root may raise a priority
        work()

    thread = threading.Thread(target=stepped_back, name=name, daemon=True)
    thread.start()
    return thread
