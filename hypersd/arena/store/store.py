"""Store of pairs, battles and votes: SQLite on a local disk, or PostgreSQL.

Votes are only added; taking one back adds a withdrawal. Each method is one transaction and is on disk when it returns.
Exception: SQLite may write battles handed out and shown later, but never after a vote (`writing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, case, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hypersd.arena.store import queries
from hypersd.arena.store.database import INSERTS, connect_to, migrate, reading, writing
from hypersd.arena.store.leases import Leases
from hypersd.arena.store.mapping import (
    battle_of,
    battle_row,
    pair_of,
    pair_row,
    select_battles,
    select_votes,
    vote_of,
    vote_row,
)
from hypersd.arena.store.outbox import PublishOutbox
from hypersd.arena.store.tables import ANSWERS, BATTLES, BENCHED, PAIRS, SHARDS, VOTES, WITHDRAWN
from hypersd.arena.store.withdrawals import Withdrawals
from hypersd.arena.votes.battle import Battle, Choice, Contestant, Pair, Vote, now


class DuplicateVote(Exception):  # noqa: N818 - a result, not an error
    """The battle already has a vote, which is kept."""


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
class Store:
    """Vote store at a database URL (SQLAlchemy's form); creates or migrates the tables.

    Raises:
        ValueError: the URL is invalid, or the database is not supported.
        OSError: the folder of a SQLite file cannot be created.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached.
    """

    url: str = field(repr=False)  # has a password
    engine: Engine = field(init=False, repr=False)
    outbox: PublishOutbox = field(init=False, repr=False)
    withdrawals: Withdrawals = field(init=False, repr=False)
    leases: Leases = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "engine", connect_to(self.url))
        migrate(self.engine)
        object.__setattr__(self, "outbox", PublishOutbox(self.engine))
        object.__setattr__(self, "withdrawals", Withdrawals(self.engine))
        object.__setattr__(self, "leases", Leases(self.engine))

    # -- pairs

    def add_pair(self, pair: Pair) -> None:
        """Add a finished pair to the pool."""
        with writing(self.engine) as connection:
            connection.execute(insert(PAIRS).values(pair_row(pair)))

    def pool_size(self, study: str | None) -> int:
        """Count the pairs of a study (None: of the open arena) that were not handed out yet."""
        with reading(self.engine) as connection:
            return connection.scalar(queries.waiting(study)) or 0

    def count_pairs(self, study: str | None) -> int:
        """Count the pairs of a study (None: of the open arena) that nobody owns, withdrawn and gold ones too."""
        counted = select(func.count()).where(PAIRS.c.owner.is_(None), queries.of(study))
        with reading(self.engine) as connection:
            return connection.scalar(counted) or 0

    def release(self, moment: datetime) -> int:
        """Return pairs to the pool that were handed out but not voted on in time; return their number.

        A visitor who leaves holds up to two pairs, which others would otherwise see only when the pool is empty.
        """
        voted = exists().where(VOTES.c.battle_id == BATTLES.c.id, queries.STANDS)
        taken = exists().where(BATTLES.c.pair_id == PAIRS.c.id, (BATTLES.c.expires > moment) | voted)
        left = (PAIRS.c.served > 0) & queries.OPEN & ~taken
        with reading(self.engine) as connection:  # scans all pairs, so it must not block writers
            ids = list(connection.scalars(select(PAIRS.c.id).where(left).limit(1000)))
        if not ids:
            return 0
        with writing(self.engine) as connection:
            return connection.execute(update(PAIRS).where(PAIRS.c.id.in_(ids), left).values(served=0)).rowcount

    def withdraw(self, pair_id: str) -> None:
        """Withdraw a pair whose pictures are lost, or equal. Votes on it stay."""
        with writing(self.engine) as connection:
            connection.execute(update(PAIRS).where(PAIRS.c.id == pair_id).values(served=WITHDRAWN))

    def pairs(self, *conditions: Any) -> list[Pair]:
        """The pairs that meet the conditions, oldest first."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(PAIRS).where(*conditions).order_by(PAIRS.c.created, PAIRS.c.id))
            return [pair_of(row) for row in rows]

    def meetings(self, prompt_set: str) -> list[tuple[tuple[str, str], tuple[str, int]]]:
        """Both contestants, and the prompt and seed, of each pair on a prompt set that any voter may get."""
        columns = select(PAIRS.c.first, PAIRS.c.second, PAIRS.c.prompt, PAIRS.c.seed)
        with reading(self.engine) as connection:
            rows = connection.execute(columns.where(PAIRS.c.prompt_set == prompt_set, queries.OPEN))
            return [((row.first, row.second), (row.prompt, row.seed)) for row in rows]

    def prompt_uses(self, study: str | None) -> Counter[str]:
        """Count the uses of each prompt of a study (None: of the open arena); an unserved pair counts once."""
        uses = func.sum(case((PAIRS.c.served > 1, PAIRS.c.served), else_=1))
        counted = select(PAIRS.c.prompt, uses).where(PAIRS.c.served >= 0, queries.OPEN, queries.of(study))
        with reading(self.engine) as connection:
            return Counter({row[0]: int(row[1]) for row in connection.execute(counted.group_by(PAIRS.c.prompt))})

    def candidate(
        self, voter: str, study: str | None, *, gold: bool = False, overlap: bool = False, alias: str = ""
    ) -> tuple[Pair, bool] | None:
        """A pair that this voter (or `alias`, if they have another name) has not seen, and whether it is new to all.

        Pairs that were never handed out come first or, for `overlap`, pairs that others have judged; then the least
        served pairs. None if the voter has seen all pairs.
        """
        given = {"voter": voter, "alias": alias or voter, "study": study}
        kinds = (True, False) if overlap else (False,)
        with reading(self.engine) as connection:
            for judged in kinds:
                query = queries.candidate(in_study=study is not None, gold=gold, judged=judged)
                if row := connection.execute(query, given).first():
                    return pair_of(row), row.served == 0
        return None

    # -- battles

    def add_battle(self, battle: Battle) -> None:
        """Hand a pair to a voter."""
        with writing(self.engine, soon=True) as connection:
            _serve(connection, battle)

    def claim(self, battle: Battle) -> bool:
        """Hand a pair to a voter, unless another voter got it since it was looked up; True if it succeeded."""
        with writing(self.engine, soon=True) as connection:
            return _claimed(connection, battle)

    def battle(self, battle_id: str) -> Battle | None:
        """A battle by id; None if there is none."""
        status = self.battle_status(battle_id)
        return status[0] if status else None

    def battle_status(self, battle_id: str) -> tuple[Battle, bool] | None:
        """A battle by id, and whether it has its vote; None if there is none."""
        with reading(self.engine) as connection:
            row = connection.execute(queries.BATTLE, {"battle": battle_id}).first()
        return (battle_of(row), bool(row.has_vote)) if row else None

    def show(self, battle_id: str, voter: str, moment: datetime) -> bool:
        """Record when a battle's pictures were first sent to its voter.

        False, and nothing is recorded, if it was shown before, has expired or has a vote, or is another voter's.
        """
        with writing(self.engine, soon=True) as connection:
            return _shown(connection, battle_id, voter, moment)

    def open_battle(
        self, voter: str, study: str | None, moment: datetime, besides: str = "", current: str = ""
    ) -> Battle | None:
        """The battle that still waits for this voter's vote: a page that is loaded again shows it again.

        A battle that was shown comes before one that was only fetched ahead; `besides` and `current` are others.
        """
        query = queries.open_battle(in_study=study is not None)
        given = {"voter": voter, "study": study, "moment": moment, "besides": besides, "current": current}
        with reading(self.engine) as connection:
            row = connection.execute(query, given).first()
        return battle_of(row) if row else None

    def repeatable(self, voter: str, study: str | None, after: int) -> Battle | None:
        """The voter's latest battle, at least `after` votes ago, that was not repeated yet."""
        again = BATTLES.alias("again")
        shown_again = exists().where(again.c.repeat_of == BATTLES.c.id)
        judged = select_battles().join(VOTES, VOTES.c.battle_id == BATTLES.c.id)
        mine = (BATTLES.c.voter == voter) & (VOTES.c.choice != "skip") & (PAIRS.c.served >= 0) & queries.STANDS
        query = judged.where(mine, queries.of(study)).order_by(VOTES.c.voted.desc())
        with reading(self.engine) as connection:
            old = connection.execute(query.add_columns(shown_again.label("again")).offset(after).limit(50)).all()
        fit = (row for row in old if row.battle_purpose == "open" and not row.again)
        row = next(fit, None)
        return battle_of(row) if row else None

    def activity(
        self, voter: str, *, minute: datetime, day: datetime, moment: datetime, besides: str = ""
    ) -> VoterActivity:
        """Counts that decide about a voter's next battle, and whether their vote is accepted.

        Args:
            voter: pseudonym of the voter.
            minute: votes since then are counted as of the last minute.
            day: likewise, of the last day.
            moment: battles that expire later and have no vote are counted as waiting.
            besides: a battle that is not counted as waiting.
        """
        given = {"minute": minute, "day": day, "moment": moment, "besides": besides, "current": ""}
        with reading(self.engine) as connection:
            return VoterActivity(*connection.execute(queries.ACTIVITY, {"voter": voter, **given}).one())

    def before_vote(
        self, battle_id: str, voter: str, *, minute: datetime, day: datetime, moment: datetime, besides: str = ""
    ) -> tuple[tuple[Battle, bool] | None, VoterActivity]:
        """A battle as `battle_status`, and `activity` in which it is not counted as waiting; on one connection."""
        given = {"minute": minute, "day": day, "moment": moment, "besides": besides, "current": battle_id}
        with reading(self.engine) as connection:
            row = connection.execute(queries.BATTLE, {"battle": battle_id}).first()
            counts = connection.execute(queries.ACTIVITY, {"voter": voter, **given}).one()
        return ((battle_of(row), bool(row.has_vote)) if row else None), VoterActivity(*counts)

    # -- votes

    def add_vote(self, vote: Vote, following: NextBattles | None = None) -> tuple[bool, bool]:
        """Store a vote and what follows it; when this returns, both are on disk.

        Returns:
            Whether the next battle is now recorded as shown (as `show`), and whether the one ahead was handed out:
            not if another voter got its pair first.

        Raises:
            DuplicateVote: its battle already has a vote; nothing is stored.
        """
        try:
            with writing(self.engine) as connection:
                connection.execute(insert(VOTES), vote_row(vote))
                return _follow(connection, vote, following) if following else (False, False)
        except IntegrityError as error:
            if self.vote_of(vote.battle.id) is None:
                raise
            raise DuplicateVote from error

    def vote(self, vote_id: str) -> Vote | None:
        """A vote by id; None if there is none."""
        return next(self.votes(VOTES.c.id == vote_id), None)

    def vote_of(self, battle_id: str) -> Vote | None:
        """The vote of a battle; None if it has none."""
        with reading(self.engine) as connection:
            row = connection.execute(select_votes().where(VOTES.c.battle_id == battle_id)).first()
        return vote_of(row) if row else None

    def add_answer(self, battle_id: str, choice: Choice, moment: datetime) -> None:
        """Store the answer to "knowing the time, which would you use?". The vote is published again with it.

        Raises:
            DuplicateVote: it was answered before.
        """
        its_vote = select(VOTES.c.id).where(VOTES.c.battle_id == battle_id)
        try:
            with writing(self.engine) as connection:
                connection.execute(its_vote.with_for_update())  # excludes a concurrent `published`
                connection.execute(insert(ANSWERS).values(battle_id=battle_id, choice=choice, answered=moment))
                connection.execute(SHARDS.delete().where(SHARDS.c.vote_id.in_(its_vote)))
        except IntegrityError as error:
            raise DuplicateVote from error

    def votes(self, *conditions: Any) -> Iterator[Vote]:
        """The votes that meet the conditions, oldest first."""
        query = select_votes().where(*conditions).order_by(VOTES.c.voted, VOTES.c.id)
        with reading(self.engine) as connection, connection.execution_options(yield_per=2000).execute(query) as rows:
            yield from map(vote_of, rows)

    def vote_ids(self) -> list[str]:
        """Ids of all votes, unordered."""
        with reading(self.engine) as connection:
            return list(connection.scalars(select(VOTES.c.id)))

    def count_votes(self, *conditions: Any) -> int:
        """Count the votes that meet the conditions."""
        with reading(self.engine) as connection:
            counted = VOTES.join(BATTLES).join(PAIRS) if conditions else VOTES
            return connection.scalar(select(func.count()).select_from(counted).where(*conditions)) or 0

    def votes_of(self, voter: str) -> list[Vote]:
        """A voter's votes, oldest first."""
        return list(self.votes(BATTLES.c.voter == voter))

    def count_of(self, voter: str) -> int:
        """Count a voter's votes without withdrawn ones."""
        with reading(self.engine) as connection:
            return connection.scalar(queries.COUNT_OF, {"voter": voter}) or 0

    # -- bench

    def bench(self, contestant: Contestant, reason: str) -> None:
        """Stop drawing pairs with this contestant."""
        row = {"contestant": contestant.label, "reason": reason, "since": now()}
        with writing(self.engine) as connection:
            insertion = INSERTS[connection.dialect.name](BENCHED).values(row)
            connection.execute(insertion.on_conflict_do_update(index_elements=["contestant"], set_=row))

    def unbench(self, contestant: Contestant) -> None:
        """Draw pairs with this contestant again."""
        with writing(self.engine) as connection:
            connection.execute(BENCHED.delete().where(BENCHED.c.contestant == contestant.label))

    def benched(self) -> dict[Contestant, str]:
        """Map each benched contestant to the reason."""
        with reading(self.engine) as connection:
            return {Contestant.parse(row.contestant): row.reason for row in connection.execute(select(BENCHED))}


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


def _follow(connection: Connection, vote: Vote, following: NextBattles) -> tuple[bool, bool]:
    shown = _shown(connection, following.shown, vote.battle.voter, vote.voted)
    if following.ahead is None:
        return shown, False
    if following.fresh:
        return shown, _claimed(connection, following.ahead)
    _serve(connection, following.ahead)
    return shown, True
