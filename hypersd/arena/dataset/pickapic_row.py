"""Rows of a table in the columns of Pick-a-Pic (Kirstain et al. 2023) that votes and preferences need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from hypersd.arena.dataset.values import is_missing, moment, picture_bytes, whole
from hypersd.arena.votes.battle import KINDS, Kind

COLUMNS = frozenset({"caption", "jpg_0", "jpg_1", "label_0", "label_1"})
"""The columns that every choice needs."""

MOMENT = "created_at"
"""The column that a vote needs in addition, but a preference does not."""

OPTIONAL = frozenset({"has_label", "user_id", "model_0", "model_1", "kind"})
"""The optional columns of a choice."""

VOTE_COLUMNS = COLUMNS | OPTIONAL | {MOMENT, "ranking_id"}
"""All columns that are read for a vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PickAPicRow:
    """A choice between two pictures of one prompt.

    Args:
        prompt: of both pictures.
        images: the bytes of their files, not yet decoded: they may be invalid.
        labels: preference for each picture, from 0 to 1; 0.5 each is a tie.
        models: names of the models that drew the pictures; empty if unknown.
        user, ranking: numbers of the voter and of the vote, if known.
        kind: of the voter, if known: only our own exports have it.
        created: time of the vote, if known.
    """

    prompt: str
    images: tuple[bytes, bytes]
    labels: tuple[float, float]
    models: tuple[str, str] = ("", "")
    user: int | None = None
    ranking: int | None = None
    kind: Kind | None = None
    created: datetime | None = None


def parse_row(row: Mapping[str, Any]) -> PickAPicRow | None:
    """Parse a row; None if it has no choice (`has_label` is false). Optional columns may be missing.

    Raises:
        ValueError: a cell of `COLUMNS` is missing, or a cell has a wrong type or is out of range.
    """
    if not row.get("has_label", True):
        return None
    prompt, kind, created = row.get("caption"), row.get("kind"), row.get(MOMENT)
    if not isinstance(prompt, str):
        raise ValueError("it has no prompt in caption")  # noqa: TRY004 - the data is wrong, not a call
    if not is_missing(kind) and kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of voter")
    return PickAPicRow(
        prompt=prompt,
        images=(picture_bytes(row.get("jpg_0"), "jpg_0"), picture_bytes(row.get("jpg_1"), "jpg_1")),
        labels=_labels(row.get("label_0"), row.get("label_1")),
        models=(_name(row.get("model_0"), "model_0"), _name(row.get("model_1"), "model_1")),
        user=whole(row.get("user_id"), "user_id"),
        ranking=whole(row.get("ranking_id"), "ranking_id"),
        kind=None if is_missing(kind) else cast("Kind", kind),
        created=None if is_missing(created) else moment(created, MOMENT),
    )


def _labels(first: object, second: object) -> tuple[float, float]:
    """Two labels as numbers.

    Raises:
        ValueError: one is not a number from 0 to 1 (NaN is rejected).
    """
    if isinstance(first, int | float) and isinstance(second, int | float) and 0 <= first <= 1 and 0 <= second <= 1:
        return float(first), float(second)
    raise ValueError(f"labels must be numbers from 0 to 1, not {first} and {second}")


def _name(value: object, column: str) -> str:
    """The name of a model; empty if it is missing.

    Raises:
        ValueError: it is not a string.
    """
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{column} must be a name, not {value!r}")  # noqa: TRY004 - the data is wrong, not a call
    return value
