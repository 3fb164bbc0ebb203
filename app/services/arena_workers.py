"""Background workers of the arena: pairs, leaderboards, reward scores, publishing."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.services.arena import Arena
from app.services.background import start_background
from app.services.drawing_process import DrawingProcess
from app.services.pair_supply import PairProbabilities, PairSupply
from hypersd.arena.library.picture_library import WatchedLibrary

if TYPE_CHECKING:
    from hypersd.arena.service.pool import PairPool

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 20.0
_PATIENCE_SECONDS = 0.5
"""Seconds between checks of the leaderboards' worker for requests and for the stop event."""

_LAST_SECONDS = 20.0
"""Seconds to wait for each worker at the end: a Space is killed 30 seconds after the signal to end."""


@dataclass
class ArenaWorkers:
    """Background threads of an arena: `ArenaWorkers(arena).start()`.

    Args:
        drawing: the process that prepares pairs; None prepares them in a thread.
        supplied: other processes prepare the pairs.
    """

    arena: Arena
    drawing: DrawingProcess | None = None
    supplied: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    def start(self) -> None:
        """Start preparing pairs and computing leaderboards in the background."""
        supply = [] if self.supplied and not self.arena.library else [self._supply]
        for work in (*supply, self._compute, self._judge, *([self._publish] if self.arena.publish else [])):
            self._threads.append(start_background(work, f"arena{work.__name__}"))
        # Python stops daemon threads at any point at exit; a thread inside torch would crash the process.
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop the threads; a picture in progress is dropped within one UNet call."""
        atexit.unregister(self.stop)
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=_LAST_SECONDS)

    def _supply(self) -> None:
        """Prepare pairs, of pictures that exist already or drawn by the models."""
        arena = self.arena
        if arena.library:
            self._library_pool(arena.library).run(self._stop)
        elif self.drawing:
            # Another process that loads meanwhile would slow down the first visitor's models.
            while not arena.engines.awake and not self._stop.wait(_PATIENCE_SECONDS):
                pass
            self.drawing.run(self._stop)
        else:
            sources = arena.engines, arena.store, arena.pictures, arena.studies
            PairSupply(*sources, arena.metrics, self._stop, arena.engines.busy, arena.low).run()

    def _library_pool(self, library: WatchedLibrary) -> PairPool:
        """The pool of an arena of one's own pictures; it waits for no model."""
        from hypersd.arena.library.library_source import LibrarySource  # noqa: PLC0415 - brings scipy
        from hypersd.arena.service.pool import PairPool  # noqa: PLC0415

        arena = self.arena
        library_source = LibrarySource(library, arena.store, PairProbabilities(arena.store, arena.labels), arena.low)
        return PairPool(arena.store, arena.pictures, library_source, [library_source.source()], shown=True)

    def _publish(self) -> None:
        """Publish votes."""
        from hypersd.arena.dataset.publish import Publisher  # noqa: PLC0415 - brings pyarrow

        self.arena.publisher = Publisher(self.arena.store, self.arena.pictures, self.arena.publish)
        self.arena.publisher.run(self._stop)

    def _compute(self) -> None:
        """Recompute the leaderboards in the background, never within a request."""
        arena, seen, next_look = self.arena, (-1, -1), 0.0
        while not self._stop.is_set():
            try:
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + _REFRESH_SECONDS
                    if (count := (arena.store.count_votes(), arena.store.withdrawals.count())) != seen:
                        votes = list(arena.store.votes())
                        arena.studies.counting.add(votes)
                        arena.leaderboards.renew(votes)
                        arena.check_key()
                        seen = count
                if not arena.leaderboards.serve():
                    arena.leaderboards.wait(_PATIENCE_SECONDS)
            except Exception:
                log.exception("the leaderboards could not be computed; the last ones are kept")
                self._stop.wait(_PATIENCE_SECONDS)

    def _judge(self) -> None:
        """Score the voted pictures with the reward model, if there is one and no visitor waits."""
        while not self._stop.wait(_REFRESH_SECONDS):
            try:
                self.arena.reward_scores.work(self.arena.leaderboards.kept(), self._stop.is_set)
            except Exception:
                log.exception("the reward scores could not be computed; the last ones are kept")
