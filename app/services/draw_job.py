"""A visitor's request for pictures on its way: its events, and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue

from hypersd.models.specs import Family
from hypersd.sampling.request import Generation, Preview, Request


@dataclass(frozen=True, slots=True)
class Stopping:
    """Event of a job that was stopped during drawing: it ends after the current step."""


DrawEvent = Preview | Generation | Stopping


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A request on its way, from the moment it is made.

    Args:
        family: of the request, on its base and with its decoder: read once, for the page and the drawing.
        cancelled: when set, the job ends, waiting or drawing.
        started: the job no longer waits.
        superseded: the visitor has started another job, so this one's end is not shown.
        events: queue of its events, ended by None. All messages use this queue: in a separate response "stopping"
            could arrive after the end.
        then: drawn after the request, in the same turn.
        previews: show pictures before they are finished.
        ahead: what the page says before anything is drawn, and keeps saying beside what is known later.
    """

    request: Request
    family: Family
    cancelled: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    superseded: threading.Event = field(default_factory=threading.Event)
    events: SimpleQueue[DrawEvent | Exception | None] = field(default_factory=SimpleQueue)
    then: Request | None = None
    previews: bool = True
    ahead: str = ""

    def stop(self) -> None:
        """Cancel the job and send a `Stopping` event."""
        self.cancelled.set()
        self.events.put(Stopping())

    def run(self, draw: Callable[[Job], Generator[Preview | Generation]]) -> Iterator[DrawEvent]:
        """Do the work of `draw` in a thread, yielding the job's events as they occur.

        It is cancelled when the iteration is closed (the visitor has left).

        Raises:
            Exception: whatever the work raises.
        """
        self.started.set()
        # In the caller's context, by which GPU calls know the visitor.
        work = (copy_context().run, self._work, draw)
        threading.Thread(target=work[0], args=work[1:], name="draw", daemon=True).start()
        try:
            while (event := self.events.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.cancelled.set()

    def _work(self, draw: Callable[[Job], Generator[Preview | Generation]]) -> None:
        try:
            with closing(draw(self)) as events:
                for event in events:
                    self.events.put(event)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody can show it
            self.events.put(error)
        finally:
            self.events.put(None)

    def supersede(self) -> None:
        """Cancel the job without an event."""
        self.superseded.set()
        self.cancelled.set()
