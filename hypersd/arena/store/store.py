"""Store of pairs, battles and votes: SQLite on a local disk, or PostgreSQL.

Votes are only added; taking one back adds a withdrawal. Each method is one transaction and is on disk when it returns.
Exception: SQLite may write battles handed out and shown later, but never after a vote (`writing`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from hypersd.arena.store import queries
from hypersd.arena.store.bench import Bench
from hypersd.arena.store.database import connect_to, migrate, reading, writing
from hypersd.arena.store.leases import Leases
from hypersd.arena.store.mapping import (
    select_votes,
    vote_of,
    vote_row,
)
from hypersd.arena.store.outbox import PublishOutbox
from hypersd.arena.store.pairs import Pairs
from hypersd.arena.store.tables import ANSWERS, BATTLES, PAIRS, SHARDS, VOTES
from hypersd.arena.store.voter_battles import NextBattles, VoterBattles, follow
from hypersd.arena.store.withdrawals import Withdrawals
from hypersd.arena.votes.battle import Choice, Vote, now


class DuplicateVote(Exception):  # noqa: N818 - a result, not an error
    """The battle already has a vote, which is kept."""


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """The store's battles and pairs, to be read within one transaction; writing is a transaction of its own."""

    battles: VoterBattles
    pairs: Pairs


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
    pairs: Pairs = field(init=False, repr=False)
    battles: VoterBattles = field(init=False, repr=False)
    bench: Bench = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "engine", connect_to(self.url))
        migrate(self.engine)
        object.__setattr__(self, "outbox", PublishOutbox(self.engine))
        object.__setattr__(self, "withdrawals", Withdrawals(self.engine))
        object.__setattr__(self, "leases", Leases(self.engine))
        object.__setattr__(self, "pairs", Pairs(self.engine))
        object.__setattr__(self, "battles", VoterBattles(self.engine))
        object.__setattr__(self, "bench", Bench(self.engine))

    @contextmanager
    def snapshot(self) -> Generator[StoreSnapshot]:
        """Read of battles and pairs on one connection, in one transaction."""
        with reading(self.engine) as connection:
            yield StoreSnapshot(
                battles=VoterBattles(self.engine, connection),
                pairs=Pairs(self.engine, connection),
            )

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
                return follow(connection, vote, following) if following else (False, False)
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

    def counts_of(self, voter: str, since: datetime) -> tuple[int, int]:
        """Count a voter's votes without withdrawn ones: all, and those given since a time."""
        with reading(self.engine) as connection:
            votes, recent = connection.execute(queries.COUNTS_OF, {"voter": voter, "since": since}).one()
        return votes, recent

    def count_of(self, voter: str) -> int:
        """Count a voter's votes without withdrawn ones."""
        return self.counts_of(voter, now())[0]
