"""Leaderboard of contestants, computed from the votes that count and shown by the page and the commands.

It is the open arena's: votes given in a study are counted in the study. All votes of a voter decide on their quality.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from hypersd.arena.ranking.columns import VoteColumns
from hypersd.arena.ranking.confidence import Uncertainty, clustered, ranks
from hypersd.arena.ranking.counts import OUTCOMES, Outcome, PairCounts, PairwiseVote, connected
from hypersd.arena.ranking.davidson import DavidsonFit, Ties, elo, fit
from hypersd.arena.ranking.filters import VoteFilter
from hypersd.arena.ranking.influence import Influence, leave_one_out
from hypersd.arena.ranking.screening import COUNTS, REASONS, Reasons, coincidences, repeated_alike, screen, seconds_of
from hypersd.arena.ranking.significance import PairTest, pair_tests
from hypersd.arena.service.matchmaking import pair_probabilities
from hypersd.arena.votes.battle import CHOICES, Kind, Vote
from hypersd.arena.votes.quality import Cleaned, QualityRules, clean
from hypersd.utils.estimates import Estimate, wilson

Intervals = Literal["clustered", "model"]

WEIGHT_CAP = 200.0
"""Largest weight of one voter, in votes."""

LEAST_VOTES = 30
PRELIMINARY = 300
"""Votes from which a contestant is shown, and from which it is not preliminary: at 300 decisive votes the half-width
of a 95 % interval is about 40 points of the scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow:
    """A contestant's row.

    Args:
        elo, low, high: strength and its interval, on Elo's scale.
        rank, rank_low, rank_high: rank by strength and its interval.
        sure_rank: 1 + the number of contestants that are significantly better.
        seconds: median over its pictures; 0 if unknown.
    """

    contestant: str
    elo: float
    low: float
    high: float
    rank: int
    rank_low: int
    rank_high: int
    sure_rank: int
    votes: int
    seconds: float
    preliminary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """Leaderboard of the votes of one kind of voter.

    Args:
        problem: reason why there are no standings (no votes, …), or empty.
        win_rates: `[row][column]`, None for two that never met.
        left_share: share of decisive votes for the left side.
        agreement: Krippendorff's α between voters who judged the same pair.
        self_agreement: how often a voter answers a repeated pair alike.
        intervals: clustered by voter; with a single voter, those of independent votes.
        apart: groups of contestants that no votes connect with the standings: not comparable yet.
    """

    kind: Kind
    rules: str
    votes: int
    kept: int
    voters: int
    reasons: dict[str, int]
    standings: tuple[LeaderboardRow, ...] = ()
    contestants: tuple[str, ...] = ()
    win_rates: tuple[tuple[float | None, ...], ...] = ()
    decisions: tuple[PairTest, ...] = ()
    left_share: Estimate | None = None
    side_effect: tuple[float, float, float] | None = None
    agreement: Estimate | None = None
    self_agreement: Estimate | None = None
    influence: Influence | None = None
    intervals: Intervals = "clustered"
    apart: tuple[tuple[str, ...], ...] = ()
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The leaderboard as JSON data: NaN and infinity become null."""
        return _plain(asdict(self))


def pairwise_votes(votes: Iterable[Vote]) -> list[PairwiseVote]:
    """Decisive votes and ties as pairwise votes; "both bad" and skips are left out.

    Imported votes name models at unknown numbers of steps, `@?`; they belong to separate studies, so these models are
    not in the open arena's ranking.
    """
    outcomes: dict[str, Outcome] = {"left": "left", "right": "right", "tie": "tie"}
    pairwise: list[PairwiseVote] = []
    for vote in votes:
        left, right = (entry.contestant for entry in vote.battle.sides)
        if vote.choice in outcomes and left != right:
            pairwise.append(PairwiseVote(vote.battle.voter, left.label, right.label, outcomes[vote.choice]))
    return pairwise


def tally_of(votes: VoteColumns) -> PairCounts:
    """Pairwise counts of votes in columns."""
    left, right, outcome = votes.left.codes, votes.right.codes, votes.choice.codes
    rows = np.flatnonzero(votes.chose(*OUTCOMES) & (left != right))
    names, sides = np.unique(np.stack([left[rows], right[rows]], axis=1), return_inverse=True)
    voters, voter = np.unique(votes.voter.codes[rows], return_inverse=True)
    place = np.array([OUTCOMES.index(choice) if choice in OUTCOMES else -1 for choice in CHOICES])
    return PairCounts.from_arrays(
        contestants=votes.left.values.take(names).to_pylist(),
        voters=votes.voter.values.take(voters).to_pylist(),
        voter=voter,
        sides=sides.reshape(-1, 2),
        outcome=place[outcome[rows]],
        weight_cap=WEIGHT_CAP,
    )


def compute_leaderboard(
    votes: Iterable[Vote], *, kind: Kind = "human", rules: QualityRules | None = None
) -> Leaderboard:
    """Clean the open arena's votes and rank the contestants, with intervals.

    Votes that cannot be ranked raise no error: `problem` holds the reason.
    """
    columns = VoteColumns.of(votes)
    mine, reasons = _screened(columns, VoteFilter(kind=kind), rules)
    return _board(mine, reasons, kind, (rules or QualityRules()).version)


def compute_families(
    votes: VoteColumns, vote_filter: VoteFilter, *, rules: QualityRules | None = None, ties: Ties = "davidson"
) -> dict[str, Leaderboard]:
    """Leaderboards of the filtered votes, by family name.

    Families whose contestants were compared with each other share one leaderboard, under both names.

    Args:
        votes: all votes: they are cleaned together.
        vote_filter: selects the votes to rank.
        rules: decide which votes count.
        ties: modelled, or counted as half a win for each as LMArena does.
    """
    mine, reasons = _screened(votes, vote_filter, rules)
    names = np.array([contestant.family for contestant in votes.contestants()])
    met = {frozenset((names[left], names[right])) for left, right in mine.meetings()}
    boards: dict[str, Leaderboard] = {}
    for family in connected(met) or [()]:
        rows = np.isin(names, family)[mine.left.codes]
        boards[", ".join(family)] = _board(
            mine[rows], reasons[rows], vote_filter.kind, (rules or QualityRules()).version, ties
        )
    return boards


def _screened(votes: VoteColumns, vote_filter: VoteFilter, rules: QualityRules | None) -> tuple[VoteColumns, Reasons]:
    """The filtered votes, and the reasons why some do not count; all votes of a kind are cleaned together."""
    mine = votes[votes.is_kind(vote_filter.kind)]
    rows = vote_filter.rows(mine)
    return mine[rows], screen(mine, rules)[rows]


def rank_cleaned_votes(cleaned: Cleaned) -> Leaderboard:
    """Leaderboard of votes that are cleaned already."""
    reasons = np.array([COUNTS] * len(cleaned.kept) + [REASONS.index(reason) for _, reason in cleaned.dropped])
    return _board(VoteColumns.of(cleaned.votes), reasons.astype(np.int8), cleaned.kind, cleaned.rules)


def _board(votes: VoteColumns, reasons: Reasons, kind: Kind, rules: str, ties: Ties = "davidson") -> Leaderboard:
    kept = votes[reasons == COUNTS]
    why = Counter(REASONS[code] for code in reasons[reasons != COUNTS])
    decisive = int(kept.chose("left", "right").sum())
    agreement = coincidences(kept).interval(rounds=200)
    base = Leaderboard(
        kind=kind,
        rules=rules,
        votes=len(votes),
        kept=len(kept),
        voters=len(np.unique(votes.voter.codes)),
        reasons=dict(why.most_common()),
        left_share=wilson(int(kept.chose("left").sum()), decisive),
        agreement=agreement if agreement.n else None,
        self_agreement=wilson(*repeated_alike(votes)),
    )
    every = tally_of(kept)
    groups = every.components()
    if not groups:
        return replace(base, problem="there are no votes")
    pair_counts = every.among(groups[0])
    try:
        davidson_fit = fit(pair_counts, ties=ties)
        several = len(pair_counts.voters) > 1
        sure, influence = clustered(davidson_fit, by_voter=several), leave_one_out(davidson_fit) if several else None
    except (ValueError, ArithmeticError) as error:
        return replace(base, problem=f"{error}")
    decided = pair_tests(pair_counts)
    return replace(
        base,
        contestants=pair_counts.contestants,
        standings=_standings(davidson_fit, sure, seconds_of(kept)),
        win_rates=tuple(
            tuple(None if math.isnan(rate) else float(rate) for rate in row) for row in pair_counts.win_rates()
        ),
        # Votes of a single person, however many, do not show what others prefer.
        decisions=tuple(decided if several else (replace(each, settled=False) for each in decided)),
        side_effect=(davidson_fit.side, *map(float, sure.side)),
        influence=influence,
        intervals="clustered" if several else "model",
        apart=tuple(groups[1:]),
    )


def _standings(
    davidson_fit: DavidsonFit, sure: Uncertainty, seconds: Mapping[str, float]
) -> tuple[LeaderboardRow, ...]:
    counts, places = davidson_fit.pair_counts.per_contestant(), ranks(davidson_fit.theta)
    low, high = elo(sure.low), elo(sure.high)
    return tuple(
        LeaderboardRow(
            contestant=(name := davidson_fit.pair_counts.contestants[index]),
            elo=float(davidson_fit.elo[index]),
            low=float(low[index]),
            high=float(high[index]),
            rank=int(places[index]),
            rank_low=int(sure.rank_low[index]),
            rank_high=int(sure.rank_high[index]),
            sure_rank=int(sure.sure_rank[index]),
            votes=round(float(counts[index])),
            seconds=seconds.get(name, 0.0),
            preliminary=bool(counts[index] < PRELIMINARY),
        )
        for index in np.argsort(places, kind="stable")
        if counts[index] >= LEAST_VOTES
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def next_pair_probabilities(votes: Iterable[Vote], contestants: Sequence[str]) -> dict[tuple[str, str], float]:
    """Probability of each pair to be drawn next, given all votes: see `matchmaking.pair_probabilities`.

    Empty for fewer than two contestants.
    """
    if len(contestants) < 2:
        return {}
    pair_counts = PairCounts.of(pairwise_votes(clean(votes).within(None).kept), WEIGHT_CAP)
    place = {name: index for index, name in enumerate(pair_counts.contestants)}
    if place.keys() >= set(contestants):
        try:
            davidson_fit = fit(pair_counts)
            covariance = clustered(davidson_fit).covariance
        except (ValueError, ArithmeticError):
            pass
        else:
            chosen = [place[name] for name in contestants]
            strengths = {name: float(davidson_fit.theta[place[name]]) for name in contestants}
            return pair_probabilities(contestants, strengths, covariance[np.ix_(chosen, chosen)])
    totals = pair_counts.totals().sum(axis=1)
    counts = {
        (pair_counts.contestants[left], pair_counts.contestants[right]): int(total)
        for (left, right), total in zip(pair_counts.pairs, totals, strict=True)
    }
    return pair_probabilities(contestants, counts=counts)
