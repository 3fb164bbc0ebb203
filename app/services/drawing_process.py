"""The page's own process for preparing pairs, which is started again when it ends."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from app.services.page_metrics import DrawCounter
from app.services.pair_worker import ATTACHED
from app.services.settings import AppSettings
from hypersd.utils.environment import Environment

log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.1
_LAST_SECONDS = 10.0
"""Seconds in which the process may end by itself: within one UNet call, once torch is imported."""


@dataclass
class DrawingProcess:
    """Runs a pair worker until it is stopped: drawing takes no time of the process that serves.

    Args:
        command: of the worker.
        environment: of the worker.
        busy: tells whether a visitor waits for the models of this process.
        counter: counts the worker's pictures.
        pause: seconds before a worker that ended is started again.
    """

    environment: Mapping[str, str]
    busy: Callable[[], bool]
    counter: DrawCounter
    command: Sequence[str] = (sys.executable, "-m", "app.services.pair_worker", ATTACHED)
    pause: float = 5.0
    worker: subprocess.Popen[str] | None = field(default=None, init=False)

    def run(self, stop: threading.Event) -> None:
        """Run workers, one after another, until `stop` is set."""
        while not stop.is_set():
            try:
                self._run_one(stop)
            except Exception:
                log.exception("pairs cannot be prepared; trying again")
            stop.wait(self.pause)

    def _run_one(self, stop: threading.Event) -> None:
        with subprocess.Popen(  # noqa: S603 - our own command, without input of visitors
            list(self.command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            start_new_session=True,  # Ctrl-C is for the page, which ends its worker
        ) as worker:
            self.worker = worker
            assert worker.stdin  # noqa: S101 - pipes, as asked above
            assert worker.stdout  # noqa: S101
            threading.Thread(target=self._count, args=(worker.stdout,), daemon=True).start()
            try:
                self._attend(worker, worker.stdin, stop)
            finally:
                _end(worker)
        if not stop.is_set():
            log.warning("the process that prepares pairs ended (exit %s); starting it again", worker.returncode)

    def _attend(self, worker: subprocess.Popen[str], messages: IO[str], stop: threading.Event) -> None:
        """Tell the worker when visitors wait, until it ends or is to stop."""
        known = None
        while worker.poll() is None and not stop.wait(_POLL_SECONDS):
            if (busy := self.busy()) != known:
                known = busy
                with suppress(BrokenPipeError):  # it has ended meanwhile
                    messages.write(f"{int(busy)}\n")
                    messages.flush()

    def _count(self, reports: IO[str]) -> None:
        for line in reports:
            with suppress(ValueError):  # a library's own message
                family, model, seconds = json.loads(line)
                self.counter.count_draw(family, model, seconds)


def _end(worker: subprocess.Popen[str]) -> None:
    """End a worker: in peace, or else at once."""
    worker.terminate()
    try:
        worker.wait(_LAST_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()


def worker_environment(settings: AppSettings) -> Mapping[str, str]:
    """Variables of a page's worker: the same store, pictures, family and studies."""
    storage = settings.storage
    return Environment(
        data=storage.data.resolve(),
        database=storage.database,
        pictures=storage.pictures,
        family=settings.family,
        emoji=settings.emoji.resolve() if settings.emoji else None,
        studies=settings.studies.resolve(),
        pool=settings.pool,
    ).for_child(_ROOT)
