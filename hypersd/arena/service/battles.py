"""Battles and their votes: one service for people and for simulated voters."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypersd.arena.service.vote_rules import (
    BattlePolicy,
    RateLimited,
    VoteCheck,
    VoteRejected,
    battle_to_vote_on,
    check_results,
    known_choice,
)
from hypersd.arena.store.store import Store, StoreSnapshot
from hypersd.arena.store.voter_battles import NextBattles, VoterActivity
from hypersd.arena.votes.battle import CHOICES, Battle, Choice, Client, Kind, Pair, Purpose, Vote, now

log = logging.getLogger(__name__)

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteResult:
    """A stored vote, and the voter's battles after it.

    Args:
        vote: that was stored.
        votes: number of the voter's votes, this one too, without withdrawn ones.
        shown: the battle that the page shows next is recorded as shown.
        ahead: the battle after that one; None if there is none, or it could not be handed out.
    """

    vote: Vote
    votes: int
    shown: bool = False
    ahead: Battle | None = None


@dataclass(frozen=True, slots=True)
class _Seat:
    """For whom, and where, a battle is chosen: a voter, also known as `alias`, in a study or the open arena."""

    voter: str
    kind: Kind
    study: str | None
    alias: str


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
        moments, seat = self._moments(), _Seat(voter, kind, study, alias)
        with self.store.snapshot() as stored:
            known = stored.battles.activity(voter, **moments, besides=exclude, current="")
            self.policy.check_rate(known.minute, known.day)
            if known.waiting and (waiting := stored.battles.open(voter, study, moments["moment"], besides=exclude)):
                return waiting
            picked = self._pick(stored, known, seat)
        while picked:
            battle, fresh = picked
            if not fresh:
                self.store.battles.add(battle)
                return battle
            if self.store.battles.claim(battle):
                return battle
            with self.store.snapshot() as stored:  # another voter was faster: look again
                picked = self._pick(stored, known, seat)
        return None

    def _moments(self) -> dict[str, datetime]:
        """Times from which a voter's votes and battles are counted."""
        moment = self.clock()
        return {"minute": moment - _MINUTE, "day": moment - _DAY, "moment": moment + self.policy.lifetime / 4}

    def _pick(self, stored: StoreSnapshot, known: VoterActivity, seat: _Seat) -> tuple[Battle, bool] | None:
        """A new battle for a voter, not handed out yet, and whether its pair is new to all."""
        policy, dice, (voter, study, alias) = self.policy, self.rng.random(), (seat.voter, seat.study, seat.alias)
        # Count battles handed out, not votes: a page fetches ahead, so votes are one or two behind.
        first = 0 < policy.first_gold <= known.battles + 1 and not known.gold
        gold = first or dice < policy.gold_share
        if gold and (candidate := stored.pairs.candidate(voter, study, gold=True, alias=alias)):
            return self._battle(candidate[0], voter, seat.kind, "gold"), False
        again = policy.gold_share <= dice < policy.gold_share + policy.repeat_share
        if again and (earlier := stored.battles.repeatable(voter, study, policy.repeat_after)):
            repeat = self._battle(earlier.pair, voter, seat.kind, "repeat", swapped=not earlier.swapped)
            return replace(repeat, repeat_of=earlier.id), False
        overlap = self.rng.random() < policy.overlap_share
        if candidate := stored.pairs.candidate(voter, study, overlap=overlap, alias=alias):
            return self._battle(candidate[0], voter, seat.kind, "open"), candidate[1]
        return None

    def allowed(self, study: str | None) -> Sequence[Choice]:
        """Choices that are allowed in a study or, for None, in the open arena."""
        return CHOICES if study is None else self.choices.get(study, CHOICES)

    def custom_battle(self, pair: Pair, voter: str) -> Battle:
        """A battle on a pair drawn for a voter's own prompt; no other voter sees it."""
        battle = self._battle(pair, voter, "human", "open")
        self.store.pairs.add(pair)
        self.store.battles.add(battle)
        return battle

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

    def mark_shown(self, battle_id: str, voter: str) -> None:
        """Record that the pictures of a battle were sent; from now on its vote is accepted.

        Raises:
            VoteRejected: the battle is not this voter's, or has expired.
        """
        if not self.store.battles.show(battle_id, voter, self.clock()):
            battle_to_vote_on(self.store.battles.status(battle_id), voter, self.clock())

    def vote(self, battle_id: str, voter: str, choice: str, client: Client | None = None) -> Vote:
        """Store a vote. When this returns, it is on disk.

        Raises:
            DuplicateVote: the battle already has a vote, which is kept.
            VoteRejected: the battle is not this voter's, has expired, or was not shown; or the choice does not exist,
                or is not allowed in this study.
            RateLimited: the voter has voted more often than a person would.
        """
        with self.store.snapshot() as stored:
            vote, _ = self._checked(stored, battle_id, voter, choice, client)
        self.store.add_vote(vote)
        return vote

    def vote_and_advance(
        self, battle_id: str, voter: str, choice: str, client: Client, *, shown: str, study: str | None, alias: str = ""
    ) -> VoteResult:
        """Store a vote, as `vote`; and with it that the page shows another battle now, and the battle after that one.

        Whatever prevents the next battles prevents no vote.

        Args:
            battle_id: of the vote.
            voter: pseudonym of the voter.
            choice: of the vote.
            client: its report about the vote.
            shown: id of the battle that the page shows when the vote is acknowledged.
            study: the study of the battle after that one; None is the open arena.
            alias: another name of the voter, as for `next_battle`.

        Raises:
            DuplicateVote, VoteRejected, RateLimited: as `vote`.
        """
        with self.store.snapshot() as stored:
            vote, known = self._checked(stored, battle_id, voter, choice, client, besides=shown)
            seat = _Seat(voter, vote.battle.kind, study, alias)
            waiting, picked = self._ahead(stored, known, vote, seat, shown)
        ahead, fresh = picked or (None, False)
        is_shown, is_handed_out = self.store.add_vote(vote, NextBattles(shown=shown, ahead=ahead, fresh=fresh))
        return VoteResult(vote=vote, votes=known.votes + 1, shown=is_shown, ahead=ahead if is_handed_out else waiting)

    def _checked(
        self,
        stored: StoreSnapshot,
        battle_id: str,
        voter: str,
        choice: str,
        client: Client | None,
        *,
        besides: str = "",
    ) -> tuple[Vote, VoterActivity]:
        """A vote that may be stored, and what is known of its voter before it."""
        chosen, moment = known_choice(choice), self.clock()
        battle = battle_to_vote_on(stored.battles.status(battle_id), voter, moment)
        known = stored.battles.activity(voter, **self._moments(), besides=besides, current=battle_id)
        if chosen not in self.allowed(battle.pair.study):
            raise VoteRejected("in this study you must choose one of the two pictures; skip the pair if you cannot")
        if battle.shown is None:
            raise VoteRejected("these pictures have not been shown yet; look at them first")
        self.policy.check_rate(known.minute, known.day)
        gates = check_results(self.checks, voter)
        return (
            Vote(battle=battle, choice=chosen, client=client or Client(), gates=gates, voted=moment),
            known,
        )

    def _ahead(
        self, stored: StoreSnapshot, known: VoterActivity, vote: Vote, seat: _Seat, shown: str
    ) -> tuple[Battle | None, tuple[Battle, bool] | None]:
        """The battle that waits for a voter besides the one shown next, or a new one as `_pick`; maybe neither."""
        try:
            self.policy.check_rate(known.minute + 1, known.day + 1)
            if known.waiting:
                lapse = self._moments()["moment"]
                waiting = stored.battles.open(seat.voter, seat.study, lapse, besides=shown, current=vote.battle.id)
                if waiting:
                    return waiting, None
            return None, self._pick(stored, known, seat)
        except RateLimited:
            return None, None
        except Exception:
            log.exception("no battle could be chosen ahead; the vote is taken without it")
            return None, None

    def answer(self, battle_id: str, voter: str, choice: str) -> None:
        """Store the answer to "knowing the time that each took, which would you use?", after the vote.

        Raises:
            DuplicateVote: it was answered before.
            VoteRejected: the battle is not this voter's, or has no valid vote; or the choice does not exist.
        """
        known = known_choice(choice)
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
