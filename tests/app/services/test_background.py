"""Background work has a low priority."""

from __future__ import annotations

import os
import sys
import threading
from queue import SimpleQueue

import pytest

from app.services.background import short_turns, start_background


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only a whole process can step back")
def test_background_work_and_its_threads_have_a_low_priority_and_others_do_not() -> None:
    before, seen = niceness(), SimpleQueue[int]()

    def work() -> None:
        seen.put(niceness())
        own = threading.Thread(target=lambda: seen.put(niceness()))
        own.start()
        own.join()

    thread = start_background(work, "behind")
    thread.join()
    assert thread.daemon
    assert [seen.get(), seen.get()] == [10, 10]
    assert niceness() == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only a whole process can step back")
def test_a_lower_priority_of_the_process_is_kept() -> None:
    seen = SimpleQueue[int]()

    def start() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        start_background(lambda: seen.put(niceness()), "behind").join()

    starter = threading.Thread(target=start)
    starter.start()
    starter.join()
    assert seen.get() == 15


def test_threads_switch_ten_times_as_often_as_by_default() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)  # Python's default
    try:
        short_turns()
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    finally:
        sys.setswitchinterval(before)
