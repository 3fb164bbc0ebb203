"""Leases of the pairs that workers are drawing, so that several of them share the work of one pool.

A worker renews its lease while it draws. The lease of a killed worker expires, and another one draws the same pair.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, Select, delete, func, insert, select, update

from hypersd.arena.store import queries
from hypersd.arena.store.database import reading, writing
from hypersd.arena.store.mapping import pair_row
from hypersd.arena.store.tables import LEASES, PAIRS
from hypersd.arena.votes.battle import Contestant, Pair, new_id

_POOL_LOCK = 7211984
"""Number of PostgreSQL's lock by which those who take new leases take turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """A pair that is to be drawn.

    Args:
        probability: probability with which the contestants were drawn.
        gold: the second picture is a spoiled copy of the first.
    """

    study: str | None
    prompt: str
    prompt_set: str
    seed: int
    contestants: tuple[Contestant, Contestant]
    probability: float
    gold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's right to draw a pair, until it expires."""

    id: str = field(default_factory=new_id)
    worker: str
    expires: datetime
    plan: PairPlan


@dataclass(frozen=True)
class Leases:
    """Leases of a store. Each method is one transaction."""

    engine: Engine

    def take(self, worker: str, plan: PairPlan, low: int, moment: datetime, lasts: timedelta) -> Lease | None:
        """Lease a new pair to a worker.

        None if the study's pool has `low` pairs, with those that are leased (expired ones too: they are taken over
        first); or the same pair is leased.
        """
        lease = Lease(worker=worker, expires=moment + lasts, plan=plan)
        row = _row(lease)
        same = [LEASES.c[name] == row[name] for name in ("prompt", "seed", "first", "second")]
        with writing(self.engine) as connection:
            if connection.dialect.name == "postgresql":  # SQLite's writers take turns anyway
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POOL_LOCK})")
            # In one statement, which sees one state: a pair whose lease ends between two counts is in neither.
            counts = (queries.waiting(plan.study).scalar_subquery(), _counted(plan.study).scalar_subquery())
            pairs, leased = connection.execute(select(*counts)).one()
            if pairs + leased >= low or connection.scalar(select(func.count()).where(*same)):
                return None
            connection.execute(insert(LEASES), row)
        return lease

    def take_over(self, worker: str, study: str | None, moment: datetime, lasts: timedelta) -> Lease | None:
        """Lease a worker a pair whose lease has expired; None if there is none that no other worker takes now."""
        expired = select(LEASES).where(_of(study), LEASES.c.expires <= moment).order_by(LEASES.c.expires).limit(1)
        with writing(self.engine) as connection:
            # SQLite knows no FOR UPDATE: this transaction excludes all other writers from its start.
            row = connection.execute(expired.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            lease = Lease(id=row.id, worker=worker, expires=moment + lasts, plan=_plan(row))
            held = {"worker": worker, "expires": lease.expires}
            connection.execute(update(LEASES).where(LEASES.c.id == lease.id).values(held))
        return lease

    def renew(self, lease: Lease, expires: datetime) -> None:
        """Extend a lease that its worker still has."""
        with writing(self.engine) as connection:
            connection.execute(update(LEASES).where(*_held(lease)).values(expires=expires))

    def finish(self, lease: Lease, pair: Pair) -> bool:
        """Add a leased pair to the pool; False, and nothing is added, if another worker has taken the lease over."""
        with writing(self.engine) as connection:
            if connection.execute(delete(LEASES).where(*_held(lease))).rowcount != 1:
                return False
            connection.execute(insert(PAIRS).values(pair_row(pair)))
        return True

    def give_back(self, lease: Lease) -> None:
        """End a lease without its pair, which is not to be drawn by others either."""
        with writing(self.engine) as connection:
            connection.execute(delete(LEASES).where(*_held(lease)))

    def count(self, study: str | None, moment: datetime) -> int:
        """Count the pairs of a study (None: of the open arena) that are leased at a moment, without gold ones."""
        with reading(self.engine) as connection:
            return connection.scalar(_counted(study).where(LEASES.c.expires > moment)) or 0

    def prompts(self, study: str | None) -> Counter[str]:
        """Count the leases of each prompt of a study (None: of the open arena)."""
        with reading(self.engine) as connection:
            return Counter(connection.scalars(select(LEASES.c.prompt).where(_of(study))))


def _of(study: str | None) -> Any:
    return LEASES.c.study.is_(None) if study is None else LEASES.c.study == study


def _counted(study: str | None) -> Select[int]:
    return select(func.count()).where(_of(study), LEASES.c.gold.is_(False))


def _held(lease: Lease) -> tuple[Any, Any]:
    return LEASES.c.id == lease.id, LEASES.c.worker == lease.worker


def _row(lease: Lease) -> dict[str, Any]:
    plan = asdict(lease.plan)
    first, second = (contestant.label for contestant in lease.plan.contestants)
    del plan["contestants"]
    return {"id": lease.id, "worker": lease.worker, "expires": lease.expires, "first": first, "second": second, **plan}


def _plan(row: Row[Any]) -> PairPlan:
    return PairPlan(
        study=row.study,
        prompt=row.prompt,
        prompt_set=row.prompt_set,
        seed=row.seed,
        contestants=(Contestant.parse(row.first), Contestant.parse(row.second)),
        probability=row.probability,
        gold=row.gold,
    )
