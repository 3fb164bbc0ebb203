"""Background workers of the arena: pairs, leaderboards, reward scores, publishing."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.services.arena import Arena
from app.services.background import start_background
from app.services.page_metrics import MeasuredGenerator
from hypersd.arena.library.picture_library import WatchedLibrary
from hypersd.arena.ranking.leaderboard import next_pair_probabilities
from hypersd.arena.service.studies import read_prompts

if TYPE_CHECKING:
    from hypersd.arena.service.pool import PairPool
    from hypersd.models.engine import Engine

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 20.0
_PATIENCE_SECONDS = 0.5
"""Seconds between checks of the leaderboards' worker for requests and for the stop event."""

_LAST_SECONDS = 20.0
"""Seconds to wait for each worker at the end: a Space is killed 30 seconds after the signal to end."""

_REST = 10
"""Pause after a computation over all votes, as a multiple of its time, because votes have priority."""


@dataclass
class ArenaWorkers:
    """Background threads of an arena: `ArenaWorkers(arena).start()`."""

    arena: Arena
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])
    _known_probabilities: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    _known_until: float = 0.0

    def start(self) -> None:
        """Start preparing pairs and computing leaderboards in the background."""
        for work in (self._supply, self._compute, self._judge, *([self._publish] if self.arena.publish else [])):
            self._threads.append(start_background(work, f"arena{work.__name__}"))
        # Python stops daemon threads at any point at exit; a thread inside torch would crash the process.
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop the threads; a picture in progress is dropped within one UNet call."""
        atexit.unregister(self.stop)
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=_LAST_SECONDS)

    def _pair_probabilities(self) -> Mapping[tuple[str, str], float]:
        """Probability of each pair to be drawn next; recomputed at intervals, because it is slow with many votes."""
        start = time.monotonic()
        if start >= self._known_until:
            self._known_probabilities = next_pair_probabilities(list(self.arena.store.votes()), self.arena.labels())
            end = time.monotonic()
            self._known_until = end + max(_REFRESH_SECONDS, _REST * (end - start))
        return self._known_probabilities

    def _supply(self) -> None:
        """Prepare pairs, drawn by the models or of pictures that exist already."""
        library = self.arena.library
        pool = self._library_pool(library) if library else self._engine_pool()
        if pool:
            pool.run(self._stop)

    def _library_pool(self, library: WatchedLibrary) -> PairPool:
        """The pool of an arena of one's own pictures; it waits for no model."""
        from hypersd.arena.library.library_source import LibrarySource  # noqa: PLC0415 - brings scipy
        from hypersd.arena.service.pool import PairPool  # noqa: PLC0415

        arena = self.arena
        library_source = LibrarySource(library, arena.store, self._pair_probabilities, arena.low)
        return PairPool(arena.store, arena.pictures, library_source, [library_source.source()])

    def _engine_pool(self) -> PairPool | None:
        """The pool of pairs that the models draw. The page must be ready before this imports torch (seconds)."""
        arena, engine = self.arena, self._engine()
        if engine is None:
            if not self._stop.is_set():
                log.info("no pairs are prepared here: this family needs a GPU, which only a visitor's request gets")
            return None
        from hypersd.arena.service.pool import PairPool, PairSource  # noqa: PLC0415
        from hypersd.feedback.generator import EngineGenerator  # noqa: PLC0415

        name, busy = arena.family.prompt_set, arena.engines.busy
        source = PairSource(
            study=None,
            probabilities=self._pair_probabilities,
            prompts=read_prompts(name),
            prompt_set=name,
            low=arena.low,
        )
        drawing = EngineGenerator(engine, cancelled=lambda: busy() or self._stop.is_set())
        image_generator = MeasuredGenerator(drawing, arena.metrics)
        sources = [source, *arena.studies.sources(arena.low)]
        return PairPool(arena.store, arena.pictures, image_generator, sources, busy=busy)

    def _publish(self) -> None:
        """Publish votes."""
        from hypersd.arena.dataset.publish import Publisher  # noqa: PLC0415 - brings pyarrow

        self.arena.publisher = Publisher(self.arena.store, self.arena.pictures, self.arena.publish)
        self.arena.publisher.run(self._stop)

    def _engine(self) -> Engine | None:
        while not self._stop.is_set():
            if self.arena.engines.engine(timeout=1):
                return self.arena.engines.engine_without_visitor()
        return None

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
