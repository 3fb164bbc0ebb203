"""Filters of votes for a leaderboard: by voters, prompts and contestants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hypersd.arena.ranking.columns import Truths, VoteColumns
from hypersd.arena.votes.battle import Kind, Vote
from hypersd.arena.votes.quality import Cleaned


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteFilter:
    """Filter of votes; an empty field or 0 does not restrict.

    Args:
        family: of both contestants.
        steps: of both contestants: at equal steps, a picture's cost reveals no model.
        prompts: the prompt set.
        study: the study of the votes; None is the open arena.
        texts: exact prompts.
    """

    kind: Kind = "human"
    family: str = ""
    steps: int = 0
    prompts: str = ""
    study: str | None = None
    texts: tuple[str, ...] = ()

    def holds(self, vote: Vote) -> bool:
        """True if a vote passes the filter."""
        pair = vote.battle.pair
        both = [entry.contestant for entry in pair.entries]
        return (
            vote.battle.kind == self.kind
            and pair.study == self.study
            and (not self.family or all(one.family == self.family for one in both))
            and (not self.steps or all(one.steps == self.steps for one in both))
            and (not self.prompts or pair.prompt_set == self.prompts)
            and (not self.texts or pair.prompt in self.texts)
        )

    def rows(self, votes: VoteColumns) -> Truths:
        """Mask of the votes that pass the filter, `(N,)`."""
        contestants = votes.contestants()
        chosen = votes.is_kind(self.kind)
        chosen &= votes.study.codes < 0 if self.study is None else votes.study.among([self.study])
        if self.family or self.steps:
            fits = [self.family in {"", one.family} and self.steps in {0, one.steps} for one in contestants]
            fitting = np.array(fits, dtype=bool)
            chosen &= fitting[votes.left.codes] & fitting[votes.right.codes]
        if self.prompts:
            chosen &= votes.prompt_set.among([self.prompts])
        return chosen & votes.prompt.among(self.texts) if self.texts else chosen

    def of(self, cleaned: Cleaned) -> Cleaned:
        """The cleaned votes that pass. Filter after cleaning: all votes of a voter decide whether they are trusted."""
        return cleaned if self == VoteFilter(kind=self.kind) else cleaned.where(self.holds)


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """Options of a filter, from the votes that may be shown."""

    families: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    prompts: tuple[str, ...] = ()

    @classmethod
    def of(cls, votes: Iterable[Vote]) -> FilterOptions:
        """Collect the options in these votes; visitors' own prompts are private and left out."""
        pairs = [vote.battle.pair for vote in votes if vote.battle.pair.owner is None]
        contestants = {entry.contestant for pair in pairs for entry in pair.entries}
        return cls(
            tuple(sorted({one.family for one in contestants})),
            tuple(sorted({one.steps for one in contestants if one.steps})),
            tuple(sorted({pair.prompt_set for pair in pairs})),
        )
