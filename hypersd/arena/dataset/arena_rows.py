"""Rows of the `arena` format, read as votes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, get_args

from sqlalchemy import Table

from hypersd.arena.dataset.formats import BATTLE_FIELDS, FEATURES, PAIR_FIELDS
from hypersd.arena.dataset.values import picture_bytes
from hypersd.arena.store.mapping import battle_row, pair_row, vote_row
from hypersd.arena.store.tables import BATTLES, PAIRS, VOTES
from hypersd.arena.votes.battle import (
    CHOICES,
    KINDS,
    Battle,
    CheckResult,
    Client,
    Contestant,
    Entry,
    Pair,
    Purpose,
    Vote,
)
from hypersd.arena.votes.images import ImageStore

_DERIVED = {"winner", "dropped", "steps_a", "steps_b"}
IMAGES = frozenset({"image_a", "image_b"})
LATER = frozenset({"withdrawn"})
"""Columns that exports of earlier releases lack."""

COLUMNS = frozenset(FEATURES["arena"].keys() - _DERIVED - LATER)
"""The required columns; columns that can be derived from others are optional."""

_WORDS: Mapping[str, tuple[str, ...]] = {
    "choice": CHOICES,
    "knowing_time": CHOICES,
    "kind": KINDS,
    "purpose": get_args(Purpose),
}


def vote_of_arena_row(row: Mapping[str, Any], pictures: ImageStore | None) -> Vote:
    """The vote of a row; its pictures are stored.

    Raises:
        ValueError: the row is not a valid vote.
    """
    for name, words in _WORDS.items():
        if row[name] not in words and not (name == "knowing_time" and row[name] is None):
            raise ValueError(f"{row[name]!r} is not a valid {name}")
    if row["gold"] not in {None, 0, 1}:
        raise ValueError(f"the entry that must win is 0 or 1, not {row['gold']}")
    left, right = (_entry(row, side) for side in "ab")
    pair = Pair(
        id=row["pair_id"],
        entries=(right, left) if row["swapped"] else (left, right),
        software=_facts(row["software"]),
        **{name: row[name] for name in PAIR_FIELDS},
    )
    battle = Battle(id=row["battle_id"], pair=pair, **{name: row[name] for name in BATTLE_FIELDS})
    gates: dict[str, Any] = _facts(row["gates"])
    if not set(gates.values()) <= set(get_args(CheckResult)):
        raise ValueError(f"the result of a check must be one of {', '.join(get_args(CheckResult))}")
    vote = Vote(
        id=row["vote_id"],
        battle=battle,
        choice=row["choice"],
        client=Client(decision_ms=row["decision_ms"], input=row["input"]),
        gates=gates,
        voted=row["voted"],
        knowing_time=row["knowing_time"],
        withdrawn=row.get("withdrawn"),
    )
    checked(vote)
    if pictures:
        for side in "ab":
            pictures.keep(row[f"picture_{side}"], picture_bytes(row[f"image_{side}"], f"image_{side}"))
    return vote


def _entry(row: Mapping[str, Any], side: str) -> Entry:
    entry = Entry(
        contestant=Contestant.parse(row[f"model_{side}"]),
        picture=row[f"picture_{side}"],
        seconds=row[f"seconds_{side}"],
        calls=row[f"calls_{side}"],
        version=row[f"version_{side}"],
    )
    if not (math.isfinite(entry.seconds) and entry.seconds >= 0):
        raise ValueError(f"the generation time must be 0 or more seconds, not {entry.seconds}")
    return entry


def _facts(text: str) -> dict[str, str]:
    """Names and values from a JSON object.

    Raises:
        ValueError: the text is not a JSON object, or a value is not a string.
    """
    facts = json.loads(text)
    if not isinstance(facts, dict) or not all(isinstance(value, str) for value in facts.values()):
        raise ValueError(f"{text[:80]!r} is not a JSON object of strings")
    return facts


def checked(vote: Vote) -> Vote:
    """The vote, once the tables are known to accept it with its battle and pair.

    Raises:
        ValueError: a table does not accept it.
    """
    battle = vote.battle
    if battle.kind not in KINDS:
        raise ValueError(f"{battle.kind!r} is not a kind of voter")
    for table, row in ((PAIRS, pair_row(battle.pair)), (BATTLES, battle_row(battle)), (VOTES, vote_row(vote))):
        _check(table, row)
    return vote


def _check(table: Table, row: Mapping[str, Any]) -> None:
    """Check that every database accepts a row of a table: SQLite accepts strings that PostgreSQL rejects.

    Raises:
        ValueError: a value is missing or is not accepted.
    """
    for column in table.c:
        value, length = row.get(column.name), getattr(column.type, "length", None)
        if value is None and not column.nullable:
            raise ValueError(f"{table.name[:-1]} {row['id']} has no {column.name}")
        if isinstance(value, str) and ("\0" in value or (length is not None and len(value) > length)):
            raise ValueError(f"the {column.name} of {table.name[:-1]} {row['id']!r} cannot be stored")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"the {column.name} of {table.name[:-1]} {row['id']!r} is not a number")
