"""Background work has a low priority, and garbage collections are short."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest

from app.services.background import short_turns, start_background, start_trimming


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


def test_objects_of_the_start_are_in_no_later_collection(root: Path) -> None:
    script = (
        "import gc; from app.services.background import settle_memory; settle_memory(); print(len(gc.get_objects()))"
    )
    out = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert int(out.stdout) < 100


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own function")
def test_freed_memory_is_returned_to_the_system() -> None:
    """Not while a visitor waits for the models."""
    process, pieces = psutil.Process(), [bytearray(100_000) for _ in range(800)]
    kept = pieces[::100]  # between them, so that the end of the heap is in use
    held = process.memory_info().rss
    del pieces
    stop, waiting, asked = threading.Event(), threading.Event(), threading.Semaphore(0)
    waiting.set()

    def busy() -> bool:
        asked.release()
        return waiting.is_set()

    start_trimming(stop, busy, seconds=0.01)
    try:
        for _ in range(2):
            assert asked.acquire(timeout=30)
        assert process.memory_info().rss > held - 50_000_000
        waiting.clear()
        for _ in range(3):  # at the third the second is over
            assert asked.acquire(timeout=30)
        assert process.memory_info().rss < held - 50_000_000
    finally:
        stop.set()
    assert len(kept) == 8
