"""Work behind the page takes what visitors leave of the processor."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

_NICE = 10
"""Niceness of background work, of 19: it still moves on beside something that takes a whole processor."""

_TURN_SECONDS = 0.0005
"""Time that one thread may keep Python from another that waits. A request changes threads several times, and beside

a model that draws it waits as long each time; Python's own 5 ms add up to more than all that the request takes.
"""


def short_turns() -> None:
    """Let threads of this process take turns quickly: requests are many and short, drawing is long and can wait."""
    sys.setswitchinterval(_TURN_SECONDS)


def start_background(work: Callable[[], None], name: str) -> threading.Thread:
    """Start `work` on a thread that ends with the process, and that the processor serves after all others.

    So do the threads that it starts, such as torch's. Only on Linux: elsewhere only a whole process can step back.
    """

    def stepped_back() -> None:
        if sys.platform == "linux":
            own = os.PRIO_PROCESS, threading.get_native_id()
            os.setpriority(*own, max(_NICE, os.getpriority(*own)))  # nobody but root may step forward
        work()

    thread = threading.Thread(target=stepped_back, name=name, daemon=True)
    thread.start()
    return thread
