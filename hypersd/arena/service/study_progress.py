"""Progress of declared studies, counted as their votes come in."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypersd.arena.service.studies import Comparison, Study
from hypersd.arena.store.store import Store
from hypersd.arena.store.tables import PAIRS, VOTES, WITHDRAWALS
from hypersd.arena.votes.battle import Kind, Vote, now
from hypersd.arena.votes.quality import clean
from hypersd.utils.estimates import Estimate, clustered_wilson

_OVERLAP = timedelta(minutes=1)
"""Overlap of two reads: another process may have stored an earlier vote late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyProgress:
    """Votes of a study so far.

    Args:
        shares: votes for ours and number of decisive votes that count, by comparison.
    """

    study: Study
    shares: Mapping[Comparison, Estimate]

    @property
    def counts(self) -> dict[Comparison, int]:
        """Number of votes of each comparison."""
        return {row: share.n for row, share in self.shares.items()}

    @property
    def given(self) -> int:
        """Number of wanted votes given so far; votes beyond a comparison's target are not counted."""
        return sum(min(count, self.study.votes) for count in self.counts.values())

    @property
    def wanted(self) -> int:
        """Number of votes that are wanted in all."""
        return self.study.votes * len(self.study.comparisons)

    @property
    def complete(self) -> int:
        """Number of comparisons that have all their votes."""
        return sum(count >= self.study.votes for count in self.counts.values())


@dataclass
class StudyProgressCounter:
    """Counts the votes that were given in studies. Thread-safe.

    It reads only votes given or withdrawn since its last read; `add` is for older votes that were restored, and for a
    vote that shall count at once.

    Args:
        store: of the votes.
        rest: seconds after a read without another one.
    """

    store: Store
    rest: float = 0.0
    _votes: defaultdict[str, dict[str, Vote]] = field(default_factory=lambda: defaultdict(dict[str, Vote]))
    _known: dict[tuple[str, Kind], tuple[int, StudyProgress]] = field(default_factory=dict)
    _changes: Counter[str] = field(default_factory=Counter)
    _looked: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, votes: Iterable[Vote]) -> None:
        """Count these votes too, if they were given in a study."""
        with self._lock:
            self._add(votes)

    def progress(self, study: Study, kind: Kind = "human") -> StudyProgress:
        """Progress of a study, by the votes of one kind of voter.

        They are cleaned separately: only votes in the study decide on a voter's quality.
        """
        with self._lock:
            self._look()
            votes = self._votes[study.name]
            changes = self._changes[study.name]
            seen, known = self._known.get((study.name, kind), (-1, None))
            if known is None or seen != changes or known.study != study:
                kept = clean(votes.values(), kind=kind).kept
                shares = {row: clustered_wilson(voters) for row, voters in study.by_voter(kept).items()}
                known = StudyProgress(study=study, shares=shares)
                self._known[study.name, kind] = changes, known
            return known

    def _look(self) -> None:
        moment = now()
        if self._looked and (moment - self._looked).total_seconds() < self.rest:
            return
        in_study = PAIRS.c.study.is_not(None)
        if self._looked is None:
            self._add(self.store.votes(in_study))
        else:
            since = self._looked - _OVERLAP
            self._add(self.store.votes(in_study, VOTES.c.voted >= since))
            self._add(self.store.votes(in_study, WITHDRAWALS.c.withdrawn >= since))
        self._looked = moment

    def _add(self, votes: Iterable[Vote]) -> None:
        for vote in votes:
            study = vote.battle.pair.study
            if study is None:
                continue
            known = self._votes[study].get(vote.id)
            if known is None or known.withdrawn != vote.withdrawn:
                self._votes[study][vote.id] = vote
                self._changes[study] += 1
