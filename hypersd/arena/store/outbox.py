"""Outbox of votes: records which votes were published, and restores votes from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, exists, func, insert, literal, select

from hypersd.arena.store.database import INSERTS, reading, writing
from hypersd.arena.store.mapping import battle_row, pair_row, select_votes, vote_of, vote_row
from hypersd.arena.store.tables import ANSWERS, BATTLES, PAIRS, SHARDS, VOTES, WITHDRAWALS
from hypersd.arena.votes.battle import Vote


@dataclass(frozen=True)
class PublishOutbox:
    """Records the shards in which a store's votes were published (`publish`), and restores published votes."""

    engine: Engine

    def unpublished(self, limit: int) -> list[Vote]:
        """The oldest votes that are in no shard yet."""
        waiting = ~exists().where(SHARDS.c.vote_id == VOTES.c.id)
        query = select_votes().where(waiting).order_by(VOTES.c.voted, VOTES.c.id).limit(limit)
        with reading(self.engine) as connection:
            return [vote_of(row) for row in connection.execute(query)]

    def count_unpublished(self) -> int:
        """Count the votes that are in no shard yet."""
        waiting = ~exists().where(SHARDS.c.vote_id == VOTES.c.id)
        with reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(VOTES).where(waiting)) or 0

    def published(self, shard: str, votes: Sequence[Vote]) -> None:
        """Record that a shard contains these votes in their current state.

        Votes that are already in another shard, changed since they were read (answered or withdrawn), or not in this
        store are skipped.
        """
        ids = [vote.id for vote in votes]
        with writing(self.engine) as connection:
            locked = select(VOTES.c.id).where(VOTES.c.id.in_(ids)).order_by(VOTES.c.id).with_for_update()
            here = set(connection.scalars(locked))
            known = set(connection.scalars(select(SHARDS.c.vote_id).where(SHARDS.c.vote_id.in_(ids))))
            joined = VOTES.join(ANSWERS, ANSWERS.c.battle_id == VOTES.c.battle_id)
            answered = set(connection.scalars(select(VOTES.c.id).select_from(joined).where(VOTES.c.id.in_(ids))))
            back = set(connection.scalars(select(WITHDRAWALS.c.vote_id).where(WITHDRAWALS.c.vote_id.in_(ids))))
            old = {vote.id for vote in votes if vote.knowing_time is None} & answered
            old |= {vote.id for vote in votes if vote.withdrawn is None} & back
            rows = [{"vote_id": vote, "shard": shard} for vote in here - known - old]
            if rows:
                connection.execute(insert(SHARDS), rows)

    def shards(self) -> set[str]:
        """The recorded shards."""
        with reading(self.engine) as connection:
            return set(connection.scalars(select(SHARDS.c.shard).distinct()))

    def restore(self, votes: Sequence[Vote]) -> int:
        """Add votes from elsewhere with their battles, pairs, answers and withdrawals; return the number of new ones.

        Existing rows are never changed: a vote, an answer, a withdrawal, or another vote on the same battle. Two
        replicas may do this at the same time.
        """
        new = 0
        with writing(self.engine) as connection:
            for vote in votes:
                if not _has(connection, VOTES, vote.id):
                    _add(connection, PAIRS, pair_row(vote.battle.pair, served=1))
                    _add(connection, BATTLES, battle_row(vote.battle))
                    new += _add(connection, VOTES, vote_row(vote))
                if vote.knowing_time and _has(connection, VOTES, vote.id):
                    answer = {"battle_id": vote.battle.id, "choice": vote.knowing_time, "answered": vote.voted}
                    _add(connection, ANSWERS, answer)
                if vote.withdrawn and _has(connection, VOTES, vote.id):
                    _add(connection, WITHDRAWALS, {"vote_id": vote.id, "withdrawn": vote.withdrawn})
        return new


def _has(connection: Connection, table: Table, row_id: str) -> bool:
    return connection.scalar(select(literal(1)).where(table.c.id == row_id)) is not None


def _add(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless its key exists; True if it was inserted."""
    added = INSERTS[connection.dialect.name](table).values(row).on_conflict_do_nothing()
    # Without the option PostgreSQL's driver does not report the number of inserted rows.
    return connection.execute(added, execution_options={"preserve_rowcount": True}).rowcount == 1
