"""Conversion between the arena's dataclasses and table rows."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, Table, select

from hypersd.arena.store.tables import ANSWERS, BATTLES, PAIRS, VOTES, WITHDRAWALS, WITHDRAWN
from hypersd.arena.votes.battle import Battle, Client, Contestant, Entry, Pair, Vote


def _prefixed(table: Table, prefix: str) -> list[Any]:
    return [column.label(f"{prefix}_{column.name}") for column in table.c]


@cache
def select_battles() -> Select[Any]:
    """Battles with their pairs, for `battle_of`."""
    joined = BATTLES.join(PAIRS, PAIRS.c.id == BATTLES.c.pair_id)
    return select(PAIRS, *_prefixed(BATTLES, "battle")).select_from(joined)


@cache
def select_votes() -> Select[Any]:
    """Votes with their battles, pairs, answers and withdrawals, for `vote_of`."""
    return (
        select_battles()
        .join(VOTES, VOTES.c.battle_id == BATTLES.c.id)
        .outerjoin(ANSWERS, ANSWERS.c.battle_id == BATTLES.c.id)
        .outerjoin(WITHDRAWALS, WITHDRAWALS.c.vote_id == VOTES.c.id)
        .add_columns(*_prefixed(VOTES, "vote"), ANSWERS.c.choice.label("answer"), WITHDRAWALS.c.withdrawn)
    )


def pair_row(pair: Pair, served: int = 0) -> dict[str, Any]:
    """The table row of a pair that was served `served` times; a pair of identical pictures is withdrawn."""
    first, second = pair.entries
    entries = [asdict(entry) | {"contestant": entry.contestant.label} for entry in pair.entries]
    same = {name: getattr(pair, name) for name in _PAIR_COLUMNS}
    served = WITHDRAWN if pair.identical else served
    labels = {"first": first.contestant.label, "second": second.contestant.label}
    return {**same, **labels, "entries": entries, "software": dict(pair.software), "served": served}


_PAIR_COLUMNS = (*("id", "prompt", "prompt_set", "seed", "probability", "study", "gold", "owner", "device", "created"),)
_BATTLE_COLUMNS = ("id", "swapped", "voter", "kind", "purpose", "repeat_of", "drawn", "expires", "shown")


def pair_of(row: Row[Any]) -> Pair:
    """The pair of a row."""
    first, second = (Entry(**entry | {"contestant": Contestant.parse(entry["contestant"])}) for entry in row.entries)
    same = {name: getattr(row, name) for name in _PAIR_COLUMNS}
    return Pair(**same, entries=(first, second), software=row.software)


def battle_row(battle: Battle) -> dict[str, Any]:
    """The table row of a battle."""
    return {"pair_id": battle.pair.id, **{name: getattr(battle, name) for name in _BATTLE_COLUMNS}}


def battle_of(row: Row[Any]) -> Battle:
    """The battle of a row of `select_battles`."""
    return Battle(pair=pair_of(row), **{name: getattr(row, f"battle_{name}") for name in _BATTLE_COLUMNS})


def vote_row(vote: Vote) -> dict[str, Any]:
    """The table row of a vote."""
    return {
        "id": vote.id,
        "battle_id": vote.battle.id,
        "choice": vote.choice,
        "decision_ms": vote.client.decision_ms,
        "input": vote.client.input,
        "gates": dict(vote.gates),
        "voted": vote.voted,
    }


def vote_of(row: Row[Any]) -> Vote:
    """The vote of a row of `select_votes`."""
    return Vote(
        id=row.vote_id,
        battle=battle_of(row),
        choice=row.vote_choice,
        client=Client(decision_ms=row.vote_decision_ms, input=row.vote_input),
        gates=row.vote_gates,
        voted=row.vote_voted,
        knowing_time=row.answer,
        withdrawn=row.withdrawn,
    )
