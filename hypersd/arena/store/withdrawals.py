"""Withdrawn votes. The vote itself is never changed: a withdrawal is a separate row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from hypersd.arena.store.database import INSERTS, reading, writing
from hypersd.arena.store.tables import BATTLES, SHARDS, VOTES, WITHDRAWALS
from hypersd.arena.votes.battle import Vote


@dataclass(frozen=True)
class Withdrawals:
    """The withdrawals of a store."""

    engine: Engine

    def add(self, vote: Vote, moment: datetime) -> bool:
        """Withdraw a vote if it is the last one of its voter; return whether it is withdrawn now.

        The vote is published again with its withdrawal.
        """
        last = (
            select(VOTES.c.id)
            .join(BATTLES, BATTLES.c.id == VOTES.c.battle_id)
            .where(BATTLES.c.voter == vote.battle.voter)
            .order_by(VOTES.c.voted.desc(), VOTES.c.id.desc())
            .limit(1)
        )
        row = {"vote_id": vote.id, "withdrawn": moment}
        with writing(self.engine) as connection:
            connection.execute(select(VOTES.c.id).where(VOTES.c.id == vote.id).with_for_update())  # as for answers
            if connection.scalar(last) != vote.id:
                return False
            insertion = INSERTS[connection.dialect.name](WITHDRAWALS).values(row)
            connection.execute(insertion.on_conflict_do_nothing())
            connection.execute(SHARDS.delete().where(SHARDS.c.vote_id == vote.id))
        return True

    def count(self) -> int:
        """Return the number of withdrawn votes."""
        with reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(WITHDRAWALS)) or 0
