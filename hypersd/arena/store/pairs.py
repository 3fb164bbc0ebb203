"""Pairs of a store: the pool of those that voters have not seen, and all others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, case, exists, func, insert, select, update

from hypersd.arena.store import queries
from hypersd.arena.store.database import reading, reading_within, writing
from hypersd.arena.store.mapping import pair_of, pair_row
from hypersd.arena.store.tables import BATTLES, PAIRS, VOTES, WITHDRAWN
from hypersd.arena.votes.battle import Pair


@dataclass(frozen=True)
class Pairs:
    """Pairs of a store. Each method is one transaction, but for reading within a `snapshot`."""

    engine: Engine
    snapshot: Connection | None = field(default=None, repr=False)

    def add(self, pair: Pair) -> None:
        """Add a finished pair to the pool."""
        with writing(self.engine) as connection:
            connection.execute(insert(PAIRS).values(pair_row(pair)))

    def pool_size(self, study: str | None) -> int:
        """Count the pairs of a study (None: of the open arena) that were not handed out yet."""
        with reading(self.engine) as connection:
            return connection.scalar(queries.waiting(study)) or 0

    def count(self, study: str | None) -> int:
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

    def select(self, *conditions: Any) -> list[Pair]:
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
        with reading_within(self.snapshot, self.engine) as connection:
            for judged in kinds:
                query = queries.candidate(in_study=study is not None, gold=gold, judged=judged)
                if row := connection.execute(query, given).first():
                    return pair_of(row), row.served == 0
        return None
