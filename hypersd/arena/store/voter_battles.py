"""Battles of a store: pairs handed to voters, and when they were shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine, insert

from hypersd.arena.store import queries
from hypersd.arena.store.database import reading_within, writing
from hypersd.arena.store.mapping import battle_of, battle_row
from hypersd.arena.store.tables import BATTLES
from hypersd.arena.votes.battle import Battle, Vote


@dataclass(frozen=True, slots=True)
class VoterActivity:
    """A voter's votes and battles.

    Args:
        minute: votes within the last minute.
        day: votes within the last day.
        votes: all votes but withdrawn ones.
        battles: all battles.
        gold: battles on gold pairs.
        waiting: battles without a vote.
    """

    minute: int
    day: int
    votes: int
    battles: int
    gold: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NextBattles:
    """A voter's battles after a vote, to be recorded with it.

    Args:
        shown: id of the battle that the page shows when the vote is acknowledged.
        ahead: handed to the voter for after that one; None if there is none, or it waits for them already.
        fresh: the pair of `ahead` was not handed out before.
    """

    shown: str
    ahead: Battle | None = None
    fresh: bool = False


@dataclass(frozen=True)
class VoterBattles:
    """Battles of a store. Each method is one transaction, but for reading within a `snapshot`."""

    engine: Engine
    snapshot: Connection | None = field(default=None, repr=False)

    def add(self, battle: Battle) -> None:
        """Hand a pair to a voter."""
        with writing(self.engine, soon=True) as connection:
            _serve(connection, battle)

    def claim(self, battle: Battle) -> bool:
        """Hand a pair to a voter, unless another voter got it since it was looked up; True if it succeeded."""
        with writing(self.engine, soon=True) as connection:
            return _claimed(connection, battle)

    def get(self, battle_id: str) -> Battle | None:
        """A battle by id; None if there is none."""
        status = self.status(battle_id)
        return status[0] if status else None

    def status(self, battle_id: str) -> tuple[Battle, bool] | None:
        """A battle by id, and whether it has its vote; None if there is none."""
        with reading_within(self.snapshot, self.engine) as connection:
            row = connection.execute(queries.BATTLE, {"battle": battle_id}).first()
        return (battle_of(row), bool(row.has_vote)) if row else None

    def show(self, battle_id: str, voter: str, moment: datetime) -> bool:
        """Record when a battle's pictures were first sent to its voter.

        False, and nothing is recorded, if it was shown before, has expired or has a vote, or is another voter's.
        """
        with writing(self.engine, soon=True) as connection:
            return _shown(connection, battle_id, voter, moment)

    def open(
        self, voter: str, study: str | None, moment: datetime, besides: str = "", current: str = ""
    ) -> Battle | None:
        """The battle that still waits for this voter's vote: a page that is loaded again shows it again.

        A battle that was shown comes before one that was only fetched ahead; `besides` and `current` are others.
        """
        query = queries.open_battle(in_study=study is not None)
        given = {"voter": voter, "study": study, "moment": moment, "besides": besides, "current": current}
        with reading_within(self.snapshot, self.engine) as connection:
            row = connection.execute(query, given).first()
        return battle_of(row) if row else None

    def repeatable(self, voter: str, study: str | None, after: int) -> Battle | None:
        """The voter's latest battle, at least `after` votes ago, that was not repeated yet."""
        given = {"voter": voter, "study": study, "after": after}
        with reading_within(self.snapshot, self.engine) as connection:
            judged = connection.execute(queries.judged(in_study=study is not None), given)
            battle_id = next((row.id for row in judged if row.purpose == "open" and not row.again), None)
            row = connection.execute(queries.BATTLE, {"battle": battle_id}).first() if battle_id else None
        return battle_of(row) if row else None

    def activity(
        self,
        voter: str,
        *,
        minute: datetime,
        day: datetime,
        moment: datetime,
        besides: str = "",
        current: str = "",
    ) -> VoterActivity:
        """Counts that decide about a voter's next battle, and whether their vote is accepted.

        Args:
            voter: pseudonym of the voter.
            minute: votes since then are counted as of the last minute.
            day: likewise, of the last day.
            moment: battles that expire later and have no vote are counted as waiting.
            besides: a battle that is not counted as waiting.
            current: another one.
        """
        given = {"minute": minute, "day": day, "moment": moment, "besides": besides, "current": current}
        with reading_within(self.snapshot, self.engine) as connection:
            return VoterActivity(*connection.execute(queries.ACTIVITY, {"voter": voter, **given}).one())


def follow(connection: Connection, vote: Vote, following: NextBattles) -> tuple[bool, bool]:
    """Record a voter's battles after a vote, within its transaction; returns as `Store.add_vote`."""
    shown = _shown(connection, following.shown, vote.battle.voter, vote.voted)
    if following.ahead is None:
        return shown, False
    if following.fresh:
        return shown, _claimed(connection, following.ahead)
    _serve(connection, following.ahead)
    return shown, True


def _serve(connection: Connection, battle: Battle) -> None:
    connection.execute(insert(BATTLES), battle_row(battle))
    connection.execute(queries.SERVE, {"pair": battle.pair.id})


def _claimed(connection: Connection, battle: Battle) -> bool:
    if connection.execute(queries.CLAIM, {"pair": battle.pair.id}).rowcount != 1:
        return False
    connection.execute(insert(BATTLES), battle_row(battle))
    return True


def _shown(connection: Connection, battle_id: str, voter: str, moment: datetime) -> bool:
    given = {"battle": battle_id, "viewer": voter, "moment": moment}
    return connection.execute(queries.SHOW, given).rowcount == 1
