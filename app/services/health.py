"""State of the running page, for load balancers and people: without secrets, addresses and file system paths."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from app.services.arena import Arena
from app.services.engines import EngineManager
from app.services.recent_failures import Failure, RecentFailures
from hypersd import __version__
from hypersd.arena.votes.battle import now

log = logging.getLogger(__name__)

Status = Literal["ok", "degraded", "unavailable"]

_FOLDERS = re.compile(r"(?<![\w:/])(?:[A-Za-z]:)?[/\\](?:[^\s/\\:,;'\"()]+[/\\])+")
"""The folders of an absolute path, before its last name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyState:
    """State of a family: starting, idle (not used yet), fetching, loading, ready or failed.

    Args:
        models: number of its models that can run here; None while unknown.
    """

    name: str
    title: str
    state: str
    models: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """Requests for pictures: those that wait for their turn, and those that use the models or wait for them."""

    waiting: int
    drawing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyState:
    """Prepared pairs of the open arena that nobody has seen, and the number that there should be."""

    pairs: int
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishState:
    """State of publishing.

    Args:
        age_seconds: time since the last publication, or since nothing was waiting; None before the first.
        waiting: votes in the outbox.
        failed_attempts: number of failed attempts since the start.
        failure: reason why the last attempt failed; empty if it did not.
        window_seconds: age at which a vote is published at the latest, while publishing succeeds.
    """

    age_seconds: float | None
    waiting: int
    failed_attempts: int
    failure: str
    window_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """State of the page.

    Args:
        status: `unavailable` if the vote store cannot be reached; `degraded` if a family or publishing has failed, or
            no model of the first family can run here.
        supply: None if the store cannot be reached.
        lost_with_disk: votes that a wiped disk loses: none if they are in PostgreSQL, `window` if they are published,
            otherwise all; None if the store cannot be reached.
        publishing: None if votes are not published, or the store cannot be reached.
        failures: the latest errors in the log, newest first.
        resident_bytes: memory of this process.
        free_disk_bytes: on the disk of the data folder.
    """

    status: Status
    version: str
    uptime_seconds: float
    families: tuple[FamilyState, ...]
    queue: QueueState
    supply: SupplyState | None
    publishing: PublishState | None
    lost_with_disk: Literal["none", "window", "all"] | None
    failures: tuple[Failure, ...]
    resident_bytes: int
    free_disk_bytes: int


@dataclass(frozen=True)
class HealthMonitor:
    """Monitor of a page.

    Args:
        engines: of the page.
        arena: None if its store could not be opened.
        folder: the data folder.
        waiting: returns the number of requests that wait for their turn.
        failures: the latest errors in the log.
    """

    engines: EngineManager
    arena: Arena | None
    folder: Path
    waiting: Callable[[], int] = lambda: 0
    failures: RecentFailures = field(default_factory=RecentFailures)
    started: float = field(default_factory=time.monotonic)

    def report(self) -> HealthReport:
        """Measure the state now: it asks the store, which may take seconds."""
        families = tuple(self._family(name) for name in self.engines.families)
        reached, supply, publishing = self._store()
        idle = any(family.models == 0 for family in families if family.name == self.engines.first)
        failed = idle or any(family.state == "failed" for family in families) or (publishing and publishing.failure)
        return HealthReport(
            status="unavailable" if not reached else "degraded" if failed else "ok",
            version=__version__,
            uptime_seconds=round(time.monotonic() - self.started, 1),
            families=families,
            queue=QueueState(waiting=self.waiting(), drawing=self.engines.at_work),
            supply=supply,
            publishing=publishing,
            lost_with_disk=_lost_with_disk(self.arena) if reached and self.arena else None,
            failures=self.failures.latest(),
            resident_bytes=_resident(),
            free_disk_bytes=psutil.disk_usage(str(_existing(self.folder))).free,
        )

    def _family(self, name: str) -> FamilyState:
        family = self.engines.family(name)
        answers = [self.engines.availability(family, spec) for spec in family.specs]
        able = None if None in answers else sum(answer.available for answer in answers if answer)
        # The reason of a failure may name files; it is in the log.
        state = re.split(r"\W", self.engines.state(name), maxsplit=1)[0]
        return FamilyState(name=name, title=family.title, state=state, models=able)

    def _store(self) -> tuple[bool, SupplyState | None, PublishState | None]:
        """True if the store can be reached, and its counts."""
        arena = self.arena
        if arena is None:
            return False, None, None
        try:
            supply = SupplyState(pairs=arena.store.pairs.pool_size(None), wanted=arena.low)
            return True, supply, _publishing(arena) if arena.publish else None
        except Exception:
            log.exception("the vote store cannot be reached")
            return False, None, None


def without_folders(text: str) -> str:
    """A message in which each absolute path is reduced to its last name."""
    return _FOLDERS.sub("", text)


def _lost_with_disk(arena: Arena) -> Literal["none", "window", "all"]:
    if arena.store.engine.dialect.name == "postgresql":
        return "none"
    return "window" if arena.publish else "all"


def _publishing(arena: Arena) -> PublishState:
    """State of publishing; before the publisher has started, only the outbox is known."""
    from hypersd.arena.dataset.publish import WINDOW_SECONDS  # noqa: PLC0415 - brings pyarrow

    publisher = arena.publisher
    last = publisher.health.last if publisher else None
    return PublishState(
        age_seconds=round((now() - last).total_seconds(), 1) if last else None,
        waiting=arena.store.outbox.count_unpublished(),
        failed_attempts=publisher.failed_attempts if publisher else 0,
        failure=without_folders(publisher.health.failure) if publisher else "",
        window_seconds=publisher.window_seconds if publisher else WINDOW_SECONDS,
    )


def _resident() -> int:
    """Memory of this process and its children: the one that draws pairs, and a round."""
    own = psutil.Process()
    total = own.memory_info().rss
    for child in own.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            total += child.memory_info().rss
    return total


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
