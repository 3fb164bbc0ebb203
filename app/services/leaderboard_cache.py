"""Cache of the Results tab's leaderboards: a worker computes them, the newest request first, never a request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.services.responses import StudyResult, study_results
from hypersd.arena.ranking.filters import FilterOptions, VoteFilter
from hypersd.arena.ranking.leaderboard import Leaderboard, rank_cleaned_votes
from hypersd.arena.votes.battle import KINDS, Kind, Vote
from hypersd.arena.votes.quality import Cleaned, clean

_MOST = 48
"""Boards that are kept: those that were asked for last."""

_LONGEST_LINE = 24
"""Views that wait to be computed; who asks for more than one at a time is not kept waiting by older questions."""


@dataclass
class LeaderboardCache:
    """Every board that was asked for, of the votes as they were last read, or as they were before. Thread-safe.

    Args:
        family: whose comparisons with the paper are made.
    """

    family: str
    choices: FilterOptions = field(default_factory=FilterOptions)
    comparisons: dict[Kind, list[StudyResult]] = field(default_factory=dict[Kind, list[StudyResult]])
    _cleaned: dict[Kind, Cleaned] = field(default_factory=dict[Kind, Cleaned])
    _boards: OrderedDict[VoteFilter, Leaderboard] = field(default_factory=OrderedDict[VoteFilter, Leaderboard])
    _fresh: set[VoteFilter] = field(default_factory=set[VoteFilter])
    _wanted: list[VoteFilter] = field(default_factory=list[VoteFilter])
    _asked: threading.Condition = field(default_factory=threading.Condition)

    def get(self, vote_filter: VoteFilter) -> Leaderboard | None:
        """Return the cached leaderboard; stale or None until the worker has recomputed it."""
        with self._asked:
            if vote_filter in self._boards:
                self._boards.move_to_end(vote_filter)
            if vote_filter not in self._fresh:
                self._wanted = [*(one for one in self._wanted if one != vote_filter), vote_filter][-_LONGEST_LINE:]
                self._asked.notify_all()
            return self._boards.get(vote_filter)

    def renew(self, votes: Sequence[Vote]) -> None:
        """Take new votes: the leaderboard of all of them is computed now, narrower ones at the next request."""
        cleaned: dict[Kind, Cleaned] = {kind: clean(votes, kind=kind).within(None) for kind in KINDS}
        whole = [(VoteFilter(kind=kind), rank_cleaned_votes(each)) for kind, each in cleaned.items()]
        with self._asked:
            self._cleaned = cleaned
            self._fresh = set()
            for vote_filter, leaderboard in whole:
                self._keep(vote_filter, leaderboard)
            self.choices = FilterOptions.of(votes)
            self.comparisons = {kind: study_results(self.family, each.kept) for kind, each in cleaned.items()}

    def kept(self) -> Mapping[Kind, Sequence[Vote]]:
        """The votes that count, of each kind of voter, as they were last read."""
        with self._asked:
            return {kind: each.kept for kind, each in self._cleaned.items()}

    def serve(self) -> bool:
        """Compute the board that was asked for last; False if none waits."""
        with self._asked:
            if not self._wanted or not self._cleaned:
                return False
            vote_filter, cleaned = self._wanted.pop(), self._cleaned
            if vote_filter in self._fresh:
                return True
        leaderboard = rank_cleaned_votes(vote_filter.of(cleaned[vote_filter.kind]))
        with self._asked:
            if cleaned is self._cleaned:  # else there are new votes, and the page asks again
                self._keep(vote_filter, leaderboard)
        return True

    def _keep(self, vote_filter: VoteFilter, leaderboard: Leaderboard) -> None:
        self._boards[vote_filter] = leaderboard
        self._boards.move_to_end(vote_filter)
        self._fresh.add(vote_filter)
        while len(self._boards) > _MOST:
            oldest, _ = self._boards.popitem(last=False)
            self._fresh.discard(oldest)

    def wait(self, seconds: float) -> None:
        """Wait for a request, at most so long."""
        with self._asked:
            if not self._wanted:
                self._asked.wait(seconds)
