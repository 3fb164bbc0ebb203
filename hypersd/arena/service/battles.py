"""Battles and their votes: one service for people and for simulated voters."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypersd.arena.store.store import DuplicateVote, Store
from hypersd.arena.votes.battle import CHOICES, Battle, CheckResult, Choice, Client, Kind, Pair, Purpose, Vote, now

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


@dataclass(frozen=True)
class BattleService:
    """Service that hands out battles from the store's pool and takes their votes.

    Args:
        checks: checks of a vote, by name; a check that returns `unavailable` or raises an error never loses a vote.
        choices: allowed choices by study; other studies and the open arena allow all choices.
        rng: random generator for sides and purposes.
        clock: returns the current time.
    """

    store: Store
    policy: BattlePolicy = field(default_factory=BattlePolicy)
    checks: Mapping[str, VoteCheck] = field(default_factory=dict)
    choices: Mapping[str, Sequence[Choice]] = field(default_factory=dict)
    rng: random.Random = field(default_factory=random.SystemRandom)
    clock: Callable[[], datetime] = now

    def next_battle(
        self, voter: str, kind: Kind = "human", *, study: str | None = None, exclude: str = "", alias: str = ""
    ) -> Battle | None:
        """A battle for a voter: the one that still waits for their vote, or a new one.

        Args:
            voter: pseudonym of the voter.
            kind: of the voter.
            study: the study of the battle; None is the open arena.
            exclude: a battle that the voter is looking at, when the page fetches the next one ahead.
            alias: another name of the voter, whose pairs they have seen too; empty if there is none.

        Returns:
            None if the voter has seen every pair.

        Raises:
            RateLimited: the voter has voted more often than a person would.
        """
        self._limit(voter)
        waiting = self.store.open_battle(voter, study, self.clock() + self.policy.lifetime / 4, besides=exclude)
        if waiting:
            return waiting
        policy, dice, handed = self.policy, self.rng.random(), self.store.handed_out(voter)
        # Count battles handed out, not votes: a page fetches ahead, so votes are one or two behind.
        first = 0 < policy.first_gold <= handed.total() + 1 and not handed["gold"]
        if (first or dice < policy.gold_share) and (battle := self._gold(voter, kind, study, alias)):
            return battle
        again = policy.gold_share <= dice < policy.gold_share + policy.repeat_share
        if again and (battle := self._repeat(voter, kind, study)):
            return battle
        return self._open(voter, kind, study, alias)

    def allowed(self, study: str | None) -> Sequence[Choice]:
        """Choices that are allowed in a study or, for None, in the open arena."""
        return CHOICES if study is None else self.choices.get(study, CHOICES)

    def custom_battle(self, pair: Pair, voter: str) -> Battle:
        """A battle on a pair drawn for a voter's own prompt; no other voter sees it."""
        battle = self._battle(pair, voter, "human", "open")
        self.store.add_pair(pair)
        self.store.add_battle(battle)
        return battle

    def _gold(self, voter: str, kind: Kind, study: str | None, alias: str) -> Battle | None:
        candidate = self.store.candidate(voter, study, gold=True, alias=alias)
        if candidate is None:
            return None
        battle = self._battle(candidate[0], voter, kind, "gold")
        self.store.add_battle(battle)
        return battle

    def _repeat(self, voter: str, kind: Kind, study: str | None) -> Battle | None:
        earlier = self.store.repeatable(voter, study, self.policy.repeat_after)
        if earlier is None:
            return None
        again = self._battle(earlier.pair, voter, kind, "repeat", swapped=not earlier.swapped)
        battle = replace(again, repeat_of=earlier.id)
        self.store.add_battle(battle)
        return battle

    def _open(self, voter: str, kind: Kind, study: str | None, alias: str) -> Battle | None:
        overlap = self.rng.random() < self.policy.overlap_share
        while candidate := self.store.candidate(voter, study, overlap=overlap, alias=alias):
            pair, fresh = candidate
            battle = self._battle(pair, voter, kind, "open")
            if not fresh:
                self.store.add_battle(battle)
                return battle
            if self.store.claim(battle):  # otherwise another voter was faster: look again
                return battle
        return None

    def _battle(self, pair: Pair, voter: str, kind: Kind, purpose: Purpose, *, swapped: bool | None = None) -> Battle:
        moment = self.clock()
        return Battle(
            pair=pair,
            swapped=self.rng.random() < 0.5 if swapped is None else swapped,
            voter=voter,
            kind=kind,
            purpose=purpose,
            drawn=moment,
            expires=moment + self.policy.lifetime,
        )

    def mark_shown(self, battle_id: str, voter: str) -> Battle:
        """Record that the pictures of a battle were sent; from now on its vote is accepted.

        Raises:
            VoteRejected: the battle is not this voter's, or has expired.
        """
        battle = self._mine(battle_id, voter)
        if battle.shown:
            return battle
        moment = self.clock()
        self.store.show(battle_id, moment)
        return replace(battle, shown=moment)

    def vote(self, battle_id: str, voter: str, choice: str, client: Client | None = None) -> Vote:
        """Store a vote. When this returns, it is on disk.

        Raises:
            DuplicateVote: the battle already has a vote, which is kept.
            VoteRejected: the battle is not this voter's, has expired, or was not shown; or the choice does not exist,
                or is not allowed in this study.
            RateLimited: the voter has voted more often than a person would.
        """
        known = _choice(choice)
        battle = self._mine(battle_id, voter)
        if known not in self.allowed(battle.pair.study):
            raise VoteRejected("in this study you must choose one of the two pictures; skip the pair if you cannot")
        if battle.shown is None:
            raise VoteRejected("these pictures have not been shown yet; look at them first")
        self._limit(voter)
        gates: dict[str, CheckResult] = {name: _asked(name, check, voter) for name, check in self.checks.items()}
        vote = Vote(battle=battle, choice=known, client=client or Client(), gates=gates, voted=self.clock())
        self.store.add_vote(vote)
        return vote

    def answer(self, battle_id: str, voter: str, choice: str) -> None:
        """Store the answer to "knowing the time that each took, which would you use?", after the vote.

        Raises:
            DuplicateVote: it was answered before.
            VoteRejected: the battle is not this voter's, or has no valid vote; or the choice does not exist.
        """
        known = _choice(choice)
        vote = self.store.vote_of(battle_id)
        if vote is None or vote.battle.voter != voter:
            raise VoteRejected("vote first; the times are shown afterwards")
        if vote.withdrawn:
            raise VoteRejected("you took this vote back, so it needs no second answer")
        self.store.add_answer(battle_id, known, self.clock())

    def undo(self, battle_id: str, voter: str) -> Vote:
        """Withdraw a voter's last vote. Its battle stays closed, because the voter has seen the models' names.

        Raises:
            VoteRejected: the battle is not this voter's, or not the last one that they voted on; or it is a gold pair,
                and the voter has read so after the vote.
        """
        vote = self.store.vote_of(battle_id)
        if vote is None or vote.battle.voter != voter:
            raise VoteRejected("there is no vote of yours on this pair")
        if vote.battle.purpose == "gold":
            raise VoteRejected("this pair was a check and counts for no model, so its vote cannot be taken back")
        moment = self.clock()
        if not self.store.withdrawals.add(vote, moment):
            raise VoteRejected("you can take back only your last vote, and only before the next one")
        return replace(vote, withdrawn=vote.withdrawn or moment)

    def _mine(self, battle_id: str, voter: str) -> Battle:
        status = self.store.battle_status(battle_id)
        if status is None or status[0].voter != voter:
            raise VoteRejected("this battle is not yours; load the page again for one of your own")
        battle, voted = status
        if voted:
            raise DuplicateVote
        if battle.expires < self.clock():
            raise VoteRejected("this battle has expired; here is the next one")
        return battle

    def _limit(self, voter: str) -> None:
        moment = self.clock()
        minute, day = self.store.voted_since(voter, moment - timedelta(minutes=1), moment - timedelta(days=1))
        if minute >= self.policy.votes_a_minute:
            raise RateLimited("that was many votes in a short time; rest your eyes for a minute, then go on", 60)
        if day >= self.policy.votes_a_day:
            raise RateLimited("that was very many votes for one day; thank you, and come back tomorrow", 86_400)


def _asked(name: str, check: VoteCheck, voter: str) -> CheckResult:
    try:
        return check(voter)
    except Exception:
        log.exception("the check %s failed; the vote is taken without it", name)
        return "unavailable"


def _choice(word: str) -> Choice:
    for choice in CHOICES:
        if choice == word:
            return choice
    raise VoteRejected(f"{word[:20]!r} is not a choice; choose one of: {', '.join(CHOICES)}")
