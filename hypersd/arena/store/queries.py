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
_OTHERS = (BATTLES.c.id != bindparam("besides")) & (BATTLES.c.id != bindparam("current"))

BATTLE = select_battles().add_columns(_HAS_VOTE.label("has_vote")).where(BATTLES.c.id == bindparam("battle"))
ACTIVITY = (
    select(
        func.count().filter(VOTES.c.voted >= bindparam("minute")).label("minute"),
        func.count().filter(VOTES.c.voted >= bindparam("day")).label("day"),
        func.count(VOTES.c.id).filter(WITHDRAWALS.c.vote_id.is_(None)).label("votes"),
        func.count().label("battles"),
        func.count().filter(BATTLES.c.purpose == "gold").label("gold"),
        func.count()
        .filter(
            VOTES.c.id.is_(None),
            BATTLES.c.expires > bindparam("moment"),
            _OTHERS,
        )
        .label("waiting"),
    )
    .select_from(
        # No WHERE on the time: an index scan over all voters' votes since then may be long.
        BATTLES.outerjoin(VOTES, VOTES.c.battle_id == BATTLES.c.id).outerjoin(
            WITHDRAWALS, WITHDRAWALS.c.vote_id == VOTES.c.id
        )
    )
    .where(_VOTER)
)
COUNTS_OF = (
    select(func.count(), func.count().filter(VOTES.c.voted >= bindparam("since")))
    .select_from(VOTES.join(BATTLES))
    .where(_VOTER, STANDS)
)
CLAIM = update(PAIRS).where(PAIRS.c.id == bindparam("pair"), PAIRS.c.served == 0).values(served=1)
SERVE = update(PAIRS).where(PAIRS.c.id == bindparam("pair"), PAIRS.c.served >= 0).values(served=PAIRS.c.served + 1)
SHOW = (
    update(BATTLES)
    .where(
        BATTLES.c.id == bindparam("battle"),
        BATTLES.c.voter == bindparam("viewer"),  # in an update, a column's own name is reserved
        BATTLES.c.shown.is_(None),
        BATTLES.c.expires >= bindparam("moment"),
        ~_HAS_VOTE,
    )
    .values(shown=bindparam("moment"))
)


def of(study: str | None) -> Any:
    """Condition of pairs of a study or, for None, of the open arena."""
    return PAIRS.c.study.is_(None) if study is None else PAIRS.c.study == study


def waiting(study: str | None) -> Select[int]:
    """Count the pairs of a study (None: of the open arena) that were not handed out yet."""
    return select(func.count()).where(PAIRS.c.served == 0, OPEN, of(study))


@cache
def open_battle(*, in_study: bool) -> Select[Any]:
    """The battle that waits for a `voter` after `moment`, not `besides` or `current`, in a `study` or the open arena.

    A battle that was shown comes before one that was only fetched ahead.
    """
    own = _VOTER & (BATTLES.c.expires > bindparam("moment")) & _OTHERS
    return (
        select_battles()
        .where(own, ~_HAS_VOTE, PAIRS.c.served >= 0, _within(in_study))
        .order_by(BATTLES.c.shown.is_(None), BATTLES.c.drawn.desc())
        .limit(1)
    )


@cache
def judged(*, in_study: bool) -> Select[Any, Any, bool]:
    """Up to 50 battles on which a `voter` decided, without the `after` latest, and whether each was repeated."""
    repeat = BATTLES.alias("repeat")
    again = exists().where(repeat.c.repeat_of == BATTLES.c.id)
    return (
        select(BATTLES.c.id, BATTLES.c.purpose, again.label("again"))
        .select_from(BATTLES.join(PAIRS).join(VOTES, VOTES.c.battle_id == BATTLES.c.id))
        .where(_VOTER, VOTES.c.choice != "skip", PAIRS.c.served >= 0, STANDS, _within(in_study))
        .order_by(VOTES.c.voted.desc())
        .offset(bindparam("after"))
        .limit(50)
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
