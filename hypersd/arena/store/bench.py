"""Contestants of a store that no pair is drawn with, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select

from hypersd.arena.store.database import INSERTS, reading, writing
from hypersd.arena.store.tables import BENCHED
from hypersd.arena.votes.battle import Contestant, now


@dataclass(frozen=True)
class Bench:
    """Benched contestants of a store. Each method is one transaction."""

    engine: Engine

    def add(self, contestant: Contestant, reason: str) -> None:
        """Stop drawing pairs with this contestant."""
        row = {"contestant": contestant.label, "reason": reason, "since": now()}
        with writing(self.engine) as connection:
            insertion = INSERTS[connection.dialect.name](BENCHED).values(row)
            connection.execute(insertion.on_conflict_do_update(index_elements=["contestant"], set_=row))

    def remove(self, contestant: Contestant) -> None:
        """Draw pairs with this contestant again."""
        with writing(self.engine) as connection:
            connection.execute(BENCHED.delete().where(BENCHED.c.contestant == contestant.label))

    def reasons(self) -> dict[Contestant, str]:
        """Map each benched contestant to the reason."""
        with reading(self.engine) as connection:
            return {Contestant.parse(row.contestant): row.reason for row in connection.execute(select(BENCHED))}
