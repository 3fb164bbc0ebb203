"""Downloads of a family's weights beside its runs: when a run that waits is cancelled, its download goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

from hypersd.models.loading import Loader
from hypersd.models.registry import BASE, is_local
from hypersd.models.weights import Weights
from hypersd.utils.errors import Cancelled

_GLANCE = 0.1
"""Seconds between looks at whether a run that waits for a download has been cancelled."""


@dataclass(eq=False)
class WeightFetches:
    """Downloads of one family's weights, each begun once. Thread-safe.

    Args:
        loader: of the family.
        ended: is called when a download has ended, with its error or None, before those who wait for it go on.
    """

    loader: Loader
    ended: Callable[[Exception | None], None]
    _fetches: dict[Weights, Future[None]] = field(default_factory=dict[Weights, Future[None]])
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def wait_for(self, weights: Weights, cancelled: Callable[[], bool]) -> None:
        """Wait until weights are on disk, downloading them if need be.

        A base is many files, of which some may be there from a download that was broken off: it is always asked for.

        Raises:
            DownloadError, OSError: they cannot be fetched.
            Cancelled: `cancelled` became true meanwhile; the download goes on for the next run that needs it.
        """
        with self._asking:
            fetch = self._fetches.get(weights)
            if fetch is None and weights != BASE and is_local(self.loader.family, weights, self.loader.machine):
                return
            if fetch is None or (fetch.done() and fetch.exception()):
                fetch = self._fetches[weights] = _in_background(lambda: self._download(weights))
        while not wait([fetch], timeout=_GLANCE).done:
            if cancelled():
                raise Cancelled
        fetch.result()

    def after_fork(self) -> None:
        """Make it usable in a forked process, where the thread that held the lock does not exist."""
        self._asking = threading.Lock()

    def _download(self, weights: Weights) -> None:
        try:
            self.loader.fetch(weights)
        except Exception as error:
            self.ended(error)
            raise
        self.ended(None)


def _in_background(work: Callable[[], None]) -> Future[None]:
    """Do work in a thread that does not keep the process from ending."""
    future: Future[None] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for the work
            future.set_exception(error)

    threading.Thread(target=do, name="fetch", daemon=True).start()
    return future
