"""Rules of battles and votes: how battles are handed out, how fast one may vote, and what is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypersd.arena.store.store import DuplicateVote
from hypersd.arena.votes.battle import CHOICES, Battle, CheckResult, Choice

log = logging.getLogger(__name__)

VoteCheck = Callable[[str], CheckResult]


class VoteRejected(ValueError):  # noqa: N818 - a result, not an error
    """A vote or a request for a battle was rejected; the message says why and what to do."""


class RateLimited(VoteRejected):
    """A rejection that ends after at most `seconds`."""

    def __init__(self, said: str, seconds: float) -> None:
        super().__init__(said)
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BattlePolicy:
    """Policy for handing out battles.

    Args:
        lifetime: time that a battle waits for its vote; in its last quarter it is not handed out again.
        gold_share: share of battles that show a gold pair; one of the first `first_gold` always does, unless this is 0
            or there is no gold pair.
        repeat_share: share of battles that repeat one from `repeat_after` or more battles ago, sides swapped.
        overlap_share: share of battles on pairs that other voters have judged, to measure agreement.
        votes_a_minute: limit of one voter; people who look need two seconds for a pair.
        votes_a_day: limit of one voter.
    """

    lifetime: timedelta = timedelta(minutes=20)
    gold_share: float = 0.06
    first_gold: int = 10
    repeat_share: float = 0.05
    repeat_after: int = 15
    overlap_share: float = 0.12
    votes_a_minute: int = 40
    votes_a_day: int = 1000

    def check_rate(self, minute: int, day: int) -> None:
        """Check a voter's numbers of votes within the last minute and the last day.

        Raises:
            RateLimited: they are more than a person would give.
        """
        if minute >= self.votes_a_minute:
            raise RateLimited("that was many votes in a short time; rest your eyes for a minute, then go on", 60)
        if day >= self.votes_a_day:
            raise RateLimited("that was very many votes for one day; thank you, and come back tomorrow", 86_400)


def check_results(checks: Mapping[str, VoteCheck], voter: str) -> dict[str, CheckResult]:
    """The result of each check of a voter's vote; `unavailable` of one that fails, which loses no vote."""
    return {name: _asked(name, check, voter) for name, check in checks.items()}


def _asked(name: str, check: VoteCheck, voter: str) -> CheckResult:
    try:
        return check(voter)
    except Exception:
        log.exception("the check %s failed; the vote is taken without it", name)
        return "unavailable"


def known_choice(word: str) -> Choice:
    """A choice by its stored word.

    Raises:
        VoteRejected: there is none.
    """
    for choice in CHOICES:
        if choice == word:
            return choice
    raise VoteRejected(f"{word[:20]!r} is not a choice; choose one of: {', '.join(CHOICES)}")


def battle_to_vote_on(status: tuple[Battle, bool] | None, voter: str, moment: datetime) -> Battle:
    """A voter's battle that has no vote yet.

    Args:
        status: the battle and whether it has a vote; None if there is no such battle.
        voter: who wants to vote.
        moment: the time of the vote.

    Raises:
        DuplicateVote: it has a vote.
        VoteRejected: it is not this voter's, or has expired.
    """
    if status is None or status[0].voter != voter:
        raise VoteRejected("this battle is not yours; load the page again for one of your own")
    battle, voted = status
    if voted:
        raise DuplicateVote
    if battle.expires < moment:
        raise VoteRejected("this battle has expired; here is the next one")
    return battle
