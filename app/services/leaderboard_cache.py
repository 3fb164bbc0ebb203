"""Cache of the Results tab's leaderboards, computed by a background worker, newest request first."""

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
"""Largest number of cached leaderboards, the last requested ones."""

_LONGEST_LINE = 24
"""Largest number of waiting requests; older ones are dropped."""


@dataclass
class LeaderboardCache:
    """The requested leaderboards, of the votes as last read or older. Thread-safe.

    Args:
        family: the family of the comparisons with the paper.
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
        """The votes that count, by kind of voter, as last read."""
        with self._asked:
            return {kind: each.kept for kind, each in self._cleaned.items()}

    def serve(self) -> bool:
        """Compute the last requested leaderboard; False if none waits."""
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
        """Wait for a request, at most the given seconds."""
        with self._asked:
            if not self._wanted:
                self._asked.wait(seconds)
