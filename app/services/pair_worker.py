"""Process that prepares the arena's pairs, apart from those that serve: `python -m app.services.pair_worker`.

It talks to them through the vote store and the pictures alone, so that it may run on another machine with the same
`DATABASE_URL` and `HYPERSD_PICTURES`. With `--attached` a page has started it: its standard input says whether a
visitor waits for the models (a line, `1` or `0`) and ends with the page; on standard output it reports each picture.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from app.services.background import start_trimming
from app.services.engines import EngineManager
from app.services.open_studies import OpenStudies, read_studies
from app.services.pair_supply import PairSupply
from app.services.settings import AppSettings
from hypersd.models.specs import Family
from hypersd.utils.environment import Environment, secrets
from hypersd.utils.log_format import configure_logging

if TYPE_CHECKING:
    from hypersd.sampling.comparison import DrawAll

ATTACHED = "--attached"
NICENESS = 10
"""Niceness of the process, at most 19: it still progresses next to a process that uses a whole core."""

_BESIDE_A_PAGE = 3
"""UNets held beside the base's: a Space's smallest hardware has to hold the page's own too.

Half of the embedded family's adapters: putting one together took 0.4 to 0.5 s beside a training.
"""


@dataclass
class PageLink:
    """Connection to the page that started this process: what it says, and reports to it. Thread-safe.

    Args:
        stop: set when the page has ended.
        out: stream of the reports; None reports nothing.
    """

    stop: threading.Event
    out: IO[str] | None = None
    _busy: threading.Event = field(default_factory=threading.Event)

    def listen(self, lines: IO[str]) -> None:
        """Follow the page's messages until it ends."""
        for line in lines:
            (self._busy.set if line.strip() == "1" else self._busy.clear)()
        self.stop.set()

    def busy(self) -> bool:
        """True if a visitor of the page waits for the models."""
        return self._busy.is_set()

    def count_draw(self, family: str, model: str, seconds: float | None) -> None:
        """Report a picture."""
        if self.out:
            self.out.write(json.dumps([family, model, seconds]) + "\n")
            self.out.flush()


def main(arguments: list[str]) -> None:
    """Prepare pairs until SIGTERM, or until the page has ended."""
    os.nice(NICENESS)
    environment = Environment.read()
    configure_logging(environment.log, secrets())
    settings = AppSettings.from_environment(environment)
    attached = ATTACHED in arguments
    engines = EngineManager(
        settings.families(), settings.family, settings.families, most_unets=_BESIDE_A_PAGE if attached else None
    )
    store, pictures = settings.storage.open()
    studies = OpenStudies(engines, store, read_studies(settings.studies, engines.first))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    link = PageLink(stop, sys.stdout if attached else None)
    if attached:
        threading.Thread(target=link.listen, args=(sys.stdin,), name="page", daemon=True).start()
    start_trimming(stop)
    engines.wake()
    with _drawing(engines.family(settings.family), environment) as draw_all:
        PairSupply(engines, store, pictures, studies, link, stop, link.busy, settings.pool, draw_all).run()


@contextmanager
def _drawing(family: Family, environment: Environment) -> Generator[DrawAll | None]:
    """A worker of the Ray cluster that draws the pairs, if there is a cluster; otherwise None.

    Raises:
        ValueError: the cluster cannot be used.
    """
    if not environment.ray:
        yield None
        return
    from hypersd.sampling.ray_drawing import ray_drawing  # noqa: PLC0415 - torch takes seconds to import

    with ray_drawing(family, environment.ray, workers=1, backend=environment.backend) as draw_all:
        yield draw_all


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        sys.exit(str(error))
