"""Queries of the arena's service. Each statement is built once: building costs more time than executing."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, exists, func, select, update

from hypersd.arena.store.mapping import select_battles
from hypersd.arena.store.tables import BATTLES, PAIRS, VOTES, WITHDRAWALS

OPEN = PAIRS.c.owner.is_(None) & PAIRS.c.gold.is_(None)
"""Pairs that any voter may get."""

STANDS = ~exists().where(WITHDRAWALS.c.vote_id == VOTES.c.id)
"""Condition of votes that were not withdrawn."""

_HAS_VOTE = exists().where(VOTES.c.battle_id == BATTLES.c.id)
_VOTER = BATTLES.c.voter == bindparam("voter")

BATTLE = select_battles().add_columns(_HAS_VOTE.label("has_vote")).where(BATTLES.c.id == bindparam("battle"))
HANDED_OUT = select(BATTLES.c.purpose, func.count()).where(_VOTER).group_by(BATTLES.c.purpose)
COUNT_OF = select(func.count()).select_from(VOTES.join(BATTLES)).where(_VOTER, STANDS)
CLAIM = update(PAIRS).where(PAIRS.c.id == bindparam("pair"), PAIRS.c.served == 0).values(served=1)
SERVE = update(PAIRS).where(PAIRS.c.id == bindparam("pair"), PAIRS.c.served >= 0).values(served=PAIRS.c.served + 1)
SHOW = (
    update(BATTLES)
    .where(BATTLES.c.id == bindparam("battle"), BATTLES.c.shown.is_(None))
    .values(shown=bindparam("moment"))
)


def of(study: str | None) -> Any:
    """Condition of pairs of a study or, for None, of the open arena."""
    return PAIRS.c.study.is_(None) if study is None else PAIRS.c.study == study


@cache
def voted_since(moments: int) -> Select[*tuple[Any, ...]]:
    """Count the votes that a `voter` has given since `moment0`, `moment1` and so on."""
    # No WHERE on the time: an index scan over all voters' votes since then may be long.
    since = [func.count().filter(VOTES.c.voted >= bindparam(f"moment{number}")) for number in range(moments)]
    return select(*since).select_from(VOTES.join(BATTLES)).where(_VOTER)


@cache
def open_battle(*, in_study: bool) -> Select[Any]:
    """The battle that waits for a `voter` after `moment`, other than `besides`, in a `study` or the open arena.

    A battle that was shown comes before one that was only fetched ahead.
    """
    mine = _VOTER & (BATTLES.c.expires > bindparam("moment")) & (BATTLES.c.id != bindparam("besides"))
    return (
        select_battles()
        .where(mine, ~_HAS_VOTE, PAIRS.c.served >= 0, _within(in_study))
        .order_by(BATTLES.c.shown.is_(None), BATTLES.c.drawn.desc())
        .limit(1)
    )


@cache
def candidate(*, in_study: bool, gold: bool, judged: bool) -> Select[Any]:
    """The least served pair that a `voter`, also known as `alias`, has not seen; if `judged`, one that has a vote."""
    names = (bindparam("voter"), bindparam("alias"))
    seen = exists().where(BATTLES.c.pair_id == PAIRS.c.id, BATTLES.c.voter.in_(names))
    has_vote = exists().where(BATTLES.c.pair_id == PAIRS.c.id, VOTES.c.battle_id == BATTLES.c.id, STANDS)
    usable = (PAIRS.c.gold.is_not(None) if gold else OPEN) & _within(in_study) & ~seen
    queue = select(PAIRS).where(usable).order_by(PAIRS.c.served, PAIRS.c.created).limit(1)
    return queue.where(PAIRS.c.served > 0, has_vote) if judged else queue.where(PAIRS.c.served >= 0)


def _within(in_study: bool) -> Any:  # noqa: FBT001 - the only argument
    return PAIRS.c.study == bindparam("study") if in_study else PAIRS.c.study.is_(None)
