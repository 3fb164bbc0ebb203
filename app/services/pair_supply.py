"""Supply of prepared pairs: the pool's worker with the package's models, in a thread or in a process of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.services.engines import EngineManager
from app.services.open_studies import OpenStudies
from app.services.page_metrics import DrawCounter, MeasuredGenerator
from hypersd.arena.ranking.leaderboard import next_pair_probabilities
from hypersd.arena.service.studies import read_prompts
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant
from hypersd.arena.votes.images import ImageStore

if TYPE_CHECKING:
    from hypersd.models.engine import Engine
    from hypersd.sampling.comparison import DrawAll

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 20.0
_REST = 10
"""Pause after a computation over all votes, as a multiple of its time, because votes have priority."""


@dataclass
class PairProbabilities:
    """Probability of each pair to be drawn next; recomputed at intervals, because it is slow with many votes.

    Args:
        labels: returns the contestants that take part.
    """

    store: Store
    labels: Callable[[], list[str]]
    _known: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    _known_until: float = 0.0

    def __call__(self) -> Mapping[tuple[str, str], float]:
        """Map the labels of each pair to its probability."""
        start = time.monotonic()
        if start >= self._known_until:
            self._known = next_pair_probabilities(list(self.store.votes()), self.labels())
            end = time.monotonic()
            self._known_until = end + max(_REFRESH_SECONDS, _REST * (end - start))
        return self._known


@dataclass
class PairSupply:
    """Keeps the arena's pool filled until `stop` is set.

    Args:
        engines: draw the pairs.
        store: of the pairs.
        pictures: the folder of pictures.
        studies: offered besides the open arena.
        counter: counts the pictures.
        busy: tells whether a visitor waits for the models; drawing then pauses.
        low: number of unseen pairs that the open arena's pool should have.
        draw_all: draws elsewhere; None is with the engines. What it has begun is drawn to its end.
    """

    engines: EngineManager
    store: Store
    pictures: ImageStore
    studies: OpenStudies
    counter: DrawCounter
    stop: threading.Event
    busy: Callable[[], bool]
    low: int
    draw_all: DrawAll | None = None

    def run(self) -> None:
        """Prepare pairs. The page must be ready before this imports torch, which takes seconds."""
        engine = self._engine()
        if engine is None:
            if not self.stop.is_set():
                log.info("no pairs are prepared here: this family needs a GPU, which only a visitor's request gets")
            return
        from hypersd.arena.service.pool import PairPool, PairSource  # noqa: PLC0415
        from hypersd.feedback.generator import EngineGenerator  # noqa: PLC0415

        name = self.engines.family(self.engines.first).prompt_set
        source = PairSource(
            study=None,
            probabilities=PairProbabilities(self.store, self._labels),
            prompts=read_prompts(name),
            prompt_set=name,
            low=self.low,
        )
        draw_all = self.draw_all
        drawing = EngineGenerator(
            engine,
            cancelled=lambda: self.busy() or self.stop.is_set(),
            draw=(lambda request: next(draw_all([request]))) if draw_all else None,
        )
        generator, sources = MeasuredGenerator(drawing, self.counter), [source, *self.studies.sources(self.low)]
        PairPool(self.store, self.pictures, generator, sources, busy=self.busy, shown=True).run(self.stop)

    def _labels(self) -> list[str]:
        benched = self.store.bench.reasons()
        return [contestant.label for contestant in drawable_contestants(self.engines) if contestant not in benched]

    def _engine(self) -> Engine | None:
        while not self.stop.is_set():
            if self.engines.engine(timeout=1):
                return self.engines.engine_without_visitor()
        return None


def drawable_contestants(engines: EngineManager) -> Sequence[Contestant]:
    """The contestants that can run on this machine; none while it is unknown."""
    from hypersd.feedback.generator import contestants  # noqa: PLC0415 - torch takes seconds to import

    engines.refresh()
    machine = engines.machine
    return contestants(engines.family(engines.first), machine) if machine else []
