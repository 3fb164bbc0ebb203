"""Rows of a table in the columns of Pick-a-Pic (Kirstain et al. 2023), as far as votes and preferences need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from hypersd.arena.dataset.values import is_missing, moment, picture_bytes, whole
from hypersd.arena.votes.battle import KINDS, Kind

COLUMNS = frozenset({"caption", "jpg_0", "jpg_1", "label_0", "label_1"})
"""The columns without which a row is no choice."""

MOMENT = "created_at"
"""The column that a vote needs too, and a preference does not."""

OPTIONAL = frozenset({"has_label", "user_id", "model_0", "model_1", "kind"})
"""Those that say more of a choice, where they are there."""

VOTE_COLUMNS = COLUMNS | OPTIONAL | {MOMENT, "ranking_id"}
"""Those that say anything of a vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PickAPicRow:
    """A choice between two pictures of one prompt.

    Args:
        prompt: of both pictures.
        images: their files' bytes, as they stand in the row; they may be no pictures.
        labels: how much each picture is preferred, from 0 to 1; 0.5 each is a tie.
        models: names of what drew the pictures; empty where it is not known.
        user, ranking: numbers of the voter and of the vote, if they are known.
        kind: of the voter, if it is known: only our own exports say so.
        created: the moment of the vote, if it is known.
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
    """Parse a row by its columns; None if nobody chose (`has_label` is false). A column that is missing says nothing.

    Raises:
        ValueError: a cell of `COLUMNS` is missing, or a cell is of another type or out of its range.
    """
    if not row.get("has_label", True):
        return None
    prompt, kind, created = row.get("caption"), row.get("kind"), row.get(MOMENT)
    if not isinstance(prompt, str):
        raise ValueError("it has no prompt in caption")  # noqa: TRY004 - what was read is wrong, no call
    if not is_missing(kind) and kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind")
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
        ValueError: one is none from 0 to 1 (NaN is none).
    """
    if isinstance(first, int | float) and isinstance(second, int | float) and 0 <= first <= 1 and 0 <= second <= 1:
        return float(first), float(second)
    raise ValueError(f"labels are numbers from 0 to 1, not {first} and {second}")


def _name(value: object, column: str) -> str:
    """The name of a model; empty if it is missing.

    Raises:
        ValueError: it is no text.
    """
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{column} is a name, not {value!r}")  # noqa: TRY004 - what was read is wrong, no call
    return value
