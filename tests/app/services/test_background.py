"""Background work steps back, and lets others have their turn."""

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
def test_work_behind_the_page_steps_back_with_its_threads_and_nothing_else_does() -> None:
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
def test_work_of_a_process_that_stands_further_back_stays_there() -> None:
    seen = SimpleQueue[int]()

    def start() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        start_background(lambda: seen.put(niceness()), "behind").join()

    starter = threading.Thread(target=start)
    starter.start()
    starter.join()
    assert seen.get() == 15


def test_threads_take_turns_ten_times_as_often_as_python_lets_them() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)  # as Python starts
    try:
        short_turns()
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    finally:
        sys.setswitchinterval(before)
