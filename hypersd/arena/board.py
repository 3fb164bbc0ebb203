"""The board: what kept votes say about contestants, in one document that pages and commands show.

It is the open arena's: votes given in a study are counted in its own rows. Voters are judged by all of their votes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from hypersd.arena.agreement import Share, krippendorff_interval, wilson
from hypersd.arena.battle import Kind, Vote
from hypersd.arena.matchmaking import pair_probabilities
from hypersd.arena.settled import Decision, decisions
from hypersd.arena.strength import Fit, elo, fit
from hypersd.arena.tally import Judgement, Outcome, Tally
from hypersd.arena.trust import Cleaned, Rules, clean, ratings, self_agreement
from hypersd.arena.uncertainty import Influence, Uncertainty, clustered, leave_one_out, surely_better

WEIGHT_CAP = 200.0
"""No voter weighs more than this many votes."""

LEAST_VOTES = 30
PRELIMINARY = 300
"""A contestant is shown from the first number of votes on, and is preliminary below the second: at 300 decisive votes
the half-width of a 95 % interval is about 40 points of the scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A contestant's line.

    Args:
        elo, low, high: strength and its interval, on Elo's scale.
        rank, rank_low, rank_high: by strength, and between which ranks it lies.
        sure_rank: 1 + the number of contestants better beyond doubt.
        seconds: median over its pictures; 0 if it is not known of any.
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
class Board:
    """What the votes of one kind of voter say.

    Args:
        problem: why there are no standings (votes do not connect the contestants, …), or nothing.
        win_rates: `[row][column]`, None where two never met.
        left_share: of decisive votes, how many went to the left side.
        agreement: Krippendorff's α between voters who judged the same pair.
        self_agreement: how often a voter answers a repeated pair alike.
    """

    kind: Kind
    rules: str
    votes: int
    kept: int
    voters: int
    reasons: dict[str, int]
    standings: tuple[Standing, ...] = ()
    contestants: tuple[str, ...] = ()
    win_rates: tuple[tuple[float | None, ...], ...] = ()
    decisions: tuple[Decision, ...] = ()
    left_share: Share | None = None
    side_effect: tuple[float, float, float] | None = None
    agreement: Share | None = None
    self_agreement: Share | None = None
    influence: Influence | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The board as JSON knows it: what is not a number is null."""
        return _plain(asdict(self))


def judgements(votes: Iterable[Vote]) -> list[Judgement]:
    """Kept votes as judgements between contestants; "both bad" and skips say nothing about who is better.

    Imported votes name models at unknown numbers of steps, `@?`; they are in studies of their own, so the open arena's
    ranking knows none of these models.
    """
    outcomes: dict[str, Outcome] = {"left": "left", "right": "right", "tie": "tie"}
    made: list[Judgement] = []
    for vote in votes:
        left, right = (entry.contestant for entry in vote.battle.sides)
        if vote.choice in outcomes and left != right:
            made.append(Judgement(vote.battle.voter, left.label, right.label, outcomes[vote.choice]))
    return made


def compute(votes: Iterable[Vote], *, kind: Kind = "human", rules: Rules | None = None) -> Board:
    """Clean the votes, rank the contestants, and say how sure that is.

    No error is raised for votes that cannot be ranked: the board says why.
    """
    return summarise(clean(votes, rules, kind=kind).within(None))


def summarise(cleaned: Cleaned) -> Board:
    """The same for votes that are cleaned already."""
    every = cleaned.votes
    tally = Tally.of(judgements(cleaned.kept), WEIGHT_CAP)
    base = Board(
        kind=cleaned.kind,
        rules=cleaned.rules,
        votes=len(every),
        kept=len(cleaned.kept),
        voters=len({vote.battle.voter for vote in every}),
        reasons=cleaned.reasons,
        left_share=_left_share(cleaned),
        agreement=shared if (shared := krippendorff_interval(ratings(cleaned.kept), rounds=200)).n else None,
        self_agreement=wilson(*self_agreement(every)),
    )
    try:
        found = fit(tally)
        sure, influence = clustered(found), leave_one_out(found)
    except (ValueError, ArithmeticError) as error:  # numpy's LinAlgError is a ValueError
        return replace(base, problem=f"{error}")
    return replace(
        base,
        contestants=tally.contestants,
        standings=_standings(found, sure, cleaned.kept),
        win_rates=tuple(tuple(None if math.isnan(rate) else float(rate) for rate in row) for row in tally.win_rates()),
        decisions=tuple(decisions(tally)),
        side_effect=(found.side, *map(float, sure.side)),
        influence=influence,
    )


def _standings(found: Fit, sure: Uncertainty, kept: Sequence[Vote]) -> tuple[Standing, ...]:
    counts = found.tally.per_contestant()
    seconds = _seconds(kept)
    low, high = elo(sure.low), elo(sure.high)
    sure_ranks = surely_better(found, sure)
    order = np.argsort(-found.theta, kind="stable")
    return tuple(
        Standing(
            contestant=(name := found.tally.contestants[index]),
            elo=float(found.elo[index]),
            low=float(low[index]),
            high=float(high[index]),
            rank=place,
            rank_low=int(sure.rank_low[index]),
            rank_high=int(sure.rank_high[index]),
            sure_rank=int(sure_ranks[index]),
            votes=round(float(counts[index])),
            seconds=seconds[name],
            preliminary=bool(counts[index] < PRELIMINARY),
        )
        for place, index in enumerate(order, start=1)
        if counts[index] >= LEAST_VOTES
    )


def _seconds(votes: Iterable[Vote]) -> dict[str, float]:
    took: dict[str, list[float]] = defaultdict(list)
    for vote in votes:
        for entry in vote.battle.pair.entries:
            took[entry.contestant.label] += [entry.seconds] if entry.calls else []
    return {name: median(seconds) if seconds else 0.0 for name, seconds in took.items()}


def _left_share(cleaned: Cleaned) -> Share:
    decisive = [vote.choice for vote in cleaned.kept if vote.choice in {"left", "right"}]
    return wilson(decisive.count("left"), len(decisive))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def pair_shares(votes: Iterable[Vote], contestants: Sequence[str]) -> dict[tuple[str, str], float]:
    """How likely each pair should be drawn next, given all votes: see `matchmaking.pair_probabilities`.

    Nothing for fewer than two contestants.
    """
    if len(contestants) < 2:
        return {}
    tally = Tally.of(judgements(clean(votes).within(None).kept), WEIGHT_CAP)
    place = {name: index for index, name in enumerate(tally.contestants)}
    if place.keys() >= set(contestants):
        try:
            found = fit(tally)
            covariance = clustered(found).covariance
        except (ValueError, ArithmeticError):
            pass
        else:
            chosen = [place[name] for name in contestants]
            strengths = {name: float(found.theta[place[name]]) for name in contestants}
            return pair_probabilities(contestants, strengths, covariance[np.ix_(chosen, chosen)])
    totals = tally.totals().sum(axis=1)
    counts = {
        (tally.contestants[left], tally.contestants[right]): int(total)
        for (left, right), total in zip(tally.pairs, totals, strict=True)
    }
    return pair_probabilities(contestants, counts=counts)
