"""Backup of votes: append-only Parquet in a folder or a Hub dataset, and restoring from there.

The disk of a Space is wiped at every restart, so votes are uploaded soon after they are given, and restored at start.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from hypersd.arena.dataset.card import PUBLISHED
from hypersd.arena.dataset.export import write
from hypersd.arena.dataset.formats import DatasetRow, arena_row
from hypersd.arena.dataset.vote_files import Rejects, Shard, shards
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import KINDS, Kind, Vote, new_id, now
from hypersd.arena.votes.images import ImageStore
from hypersd.utils.errors import gist

log = logging.getLogger(__name__)

_AT_ONCE = 500

_AFTER_SECONDS, _LEAST_SECONDS = 300.0, 30.0
WINDOW_SECONDS = _AFTER_SECONDS + _LEAST_SECONDS
"""Age at which a vote is published at the latest, by default."""

_GLANCE_SECONDS = 0.1
_GRACE_SECONDS = 5.0
"""Time that an attempt under way is given at the end, before a last one is begun beside it."""


@dataclass(frozen=True, slots=True)
class Health:
    """State of publishing.

    Args:
        waiting: votes that are not published yet.
        last: time when a shard was last sent, or when there was nothing to send.
        failure: reason why the last attempt or the restoring failed; empty if neither did.
    """

    waiting: int
    last: datetime | None
    failure: str


@dataclass
class Publisher:
    """Sends votes to `url`: a folder, `hf://datasets/OWNER/NAME` (huggingface_hub reads HF_TOKEN), or any fsspec URL.

    Each shard has a unique name, which begins with the id of this process, and is written once, so that two machines
    never overwrite each other. A vote is recorded as published after its shard has arrived; after a crash in between
    it is sent twice, and restoring ignores the duplicate.

    Args:
        after_votes: number of waiting votes that triggers a shard.
        after_seconds: waiting time of a vote that triggers a shard.
        least_seconds: shortest time between attempts: the Hub accepts 128 commits an hour.
        boot: prefix of the shards' names.
        aside: votes that cannot be sent now, and why; each attempt tries them again.
        failed_attempts: number of attempts since the start that failed, or sent only a part.
    """

    store: Store
    pictures: ImageStore
    url: str
    after_votes: int = 20
    after_seconds: float = _AFTER_SECONDS
    least_seconds: float = _LEAST_SECONDS
    health: Health = field(default_factory=lambda: Health(0, None, ""))
    boot: str = field(default_factory=lambda: new_id()[:12])
    aside: dict[str, str] = field(default_factory=dict[str, str])
    failed_attempts: int = 0
    _retry_at: float = -math.inf
    _unread: str = ""
    _has_card: bool = False

    @property
    def window_seconds(self) -> float:
        """Age at which a vote is published at the latest, if the target answers: what a wiped disk can lose."""
        return self.after_seconds + self.least_seconds

    def run(self, stop: threading.Event, pause: float = 5.0) -> None:
        """Restore the published votes, then publish until `stop` is set, and a last time after that.

        Failures are logged and retried, after a rate limit when the Hub says (`Retry-After`); they never stop the
        thread or reach a voter. The last attempt is made in any case.
        """
        read = self.read_back()
        waited = tried = read_at = time.monotonic()
        tried -= self.least_seconds
        while not stop.wait(pause):
            if not read and time.monotonic() - read_at >= self.least_seconds:
                read, read_at = self.read_back(), time.monotonic()
            waiting = self._waiting()
            if not waiting:
                waited = time.monotonic()
            due = waiting >= self.after_votes or time.monotonic() - waited >= self.after_seconds
            if waiting and due and time.monotonic() >= max(tried + self.least_seconds, self._retry_at):
                self._attempt_until(stop)
                waited = tried = time.monotonic()
        self.attempt()

    def _attempt_until(self, stop: threading.Event) -> None:
        """Publish on a thread of its own, which is left alone if it still waits for the target when `stop` is set."""
        thread = threading.Thread(target=self.attempt, name="publish", daemon=True)
        thread.start()
        while thread.is_alive() and not stop.is_set():
            thread.join(_GLANCE_SECONDS)
        thread.join(_GRACE_SECONDS)

    def read_back(self) -> bool:
        """Restore the published votes; True if all could be read. `health` describes a failure."""
        try:
            restore(self.store, self.pictures, self.url)
            self._unread = ""
        except Exception as error:
            log.exception("published votes could not be restored; the votes on this machine are kept and published")
            self._unread = f"votes published before could not be restored: {_sentence(error)}"
        self.health = replace(self.health, failure=self._unread)
        return not self._unread

    def attempt(self) -> bool:
        """Publish the waiting votes; True if none is left. `health` holds the result."""
        self.aside.clear()
        try:
            while self.publish():
                pass
            waiting, failure, last = self.store.outbox.count_unpublished(), self._unread, now()
        except Exception as error:
            log.exception("votes could not be published; they are kept on this machine and tried again")
            self._retry_at = time.monotonic() + _retry_after(error)
            waiting, failure, last = self.health.waiting, _sentence(error), self.health.last
            waiting = max(waiting, self._waiting())
        if self.aside:
            some = next(iter(self.aside.values()))
            failure = failure or f"{len(self.aside):,} of the votes cannot be sent, since {some}"
        self.health = Health(waiting, last, failure)
        self.failed_attempts += bool(failure)
        return not (failure or waiting)

    def publish(self) -> int:
        """Send one shard for each kind of voter; return the number of votes processed.

        Votes whose pictures cannot be read are put `aside`, so that they do not block the others.

        Raises:
            OSError: the target cannot be written.
        """
        votes = [
            vote for vote in self.store.outbox.unpublished(_AT_ONCE + len(self.aside)) if vote.id not in self.aside
        ]
        by_kind: dict[Kind, list[Vote]] = defaultdict(list)
        for vote in votes:
            by_kind[vote.battle.kind].append(vote)
        for kind, of_kind in by_kind.items():
            shard = f"{self.boot}-{new_id()}"
            self._send(kind, shard, of_kind)
            self.store.outbox.published(shard, [vote for vote in of_kind if vote.id not in self.aside])
        return len(votes)

    def _send(self, kind: Kind, shard: str, votes: Sequence[Vote]) -> None:
        system, root = _at(self.url)
        with tempfile.TemporaryDirectory(prefix="hypersd-publish-") as folder:
            if not self._has_card and not system.exists(f"{root}/README.md"):
                card = Path(folder) / "README.md"
                card.write_text(PUBLISHED, encoding="utf-8")
                _put(system, card, f"{root}/README.md")
            self._has_card = True
            file = Path(folder) / f"{shard}.parquet"
            if write(file, "arena", self._rows(votes)):
                _put(system, file, f"{root}/{kind}/{shard}.parquet")

    def _rows(self, votes: Sequence[Vote]) -> Iterator[DatasetRow]:
        for vote in votes:
            try:
                yield arena_row(vote, None, self.pictures.get)
            except OSError as error:
                self.aside[vote.id] = f"a picture cannot be read ({_sentence(error)})"

    def _waiting(self) -> int:
        """Number of waiting votes; the last known one if the store does not answer."""
        try:
            waiting = self.store.outbox.count_unpublished()
        except Exception as error:
            log.exception("the store does not answer; trying again")
            self.health = replace(self.health, failure=f"the store does not answer: {_sentence(error)}")
            return self.health.waiting
        self.health = replace(self.health, waiting=waiting) if waiting else Health(0, now(), self._unread)
        return waiting


def restore(store: Store, pictures: ImageStore, url: str) -> int:
    """Read all published votes into a store; return the number of new ones.

    Shards that the store has recorded are not read again.

    Raises:
        OSError: the target cannot be read.
        ValueError: a shard is damaged; the others are read.
    """
    known = store.outbox.shards()
    new, broken = 0, ""
    for shard in _published(url):
        if shard.name in known:
            continue
        try:
            restored, reason = _restore(store, pictures, shard)
            new, broken = new + restored, broken or reason
        except ValueError as error:
            broken = broken or str(error)
    if broken:
        raise ValueError(f"{new} votes were restored, but not all: {broken}")
    return new


def _restore(store: Store, pictures: ImageStore, shard: Shard) -> tuple[int, str]:
    """Number of new votes from a shard, and why some are missing; a complete shard is recorded as read."""
    new, all_of_them, rejects = 0, list[Vote](), Rejects()
    for votes in shard.batches(pictures, rejects):
        new += store.outbox.restore(votes)
        all_of_them += votes
    if rejects.skipped:
        first = rejects.skipped[0]
        return new, f"{shard.path}: {len(rejects.skipped)} rows are not votes; row {first.row}: {first.reason}"
    store.outbox.published(shard.name, all_of_them)
    return new, ""


def _published(url: str) -> list[Shard]:
    try:
        known_shards = shards(url)
    except FileNotFoundError:
        return []  # nothing was published yet
    return [shard for shard in known_shards if Path(shard.path).parent.name in KINDS]


def _at(url: str) -> tuple[Any, str]:
    system, root = fsspec.core.url_to_fs(url)
    return system, root.rstrip("/")


def _put(system: Any, file: Path, target: str) -> None:
    """Upload a file so that readers see it only when complete: a commit is atomic; a folder needs a rename."""
    system.makedirs(target.rpartition("/")[0], exist_ok=True)
    if "file" not in ([system.protocol] if isinstance(system.protocol, str) else system.protocol):
        system.put_file(str(file), target)
        return
    part = f"{target}.part"
    system.put_file(str(file), part)
    os.replace(part, target)  # noqa: PTH105 - fsspec's paths are strings


def _retry_after(error: BaseException | None) -> float:
    """Seconds that the target asks to wait, by the response of an error or of its causes; 0 if it asks for none."""
    while error is not None:
        headers = getattr(getattr(error, "response", None), "headers", {})
        if (seconds := headers.get("retry-after", "")).isdecimal():
            return float(seconds)
        error = error.__cause__
    return 0.0


def _sentence(error: Exception) -> str:
    """The first line of an error without this machine's folders: the Results page shows it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {Path(str(error.filename)).name}" if error.filename else error.strerror
    return gist(error)
