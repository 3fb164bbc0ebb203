"""Votes in the logs of other arenas (LMArena, GenAI-Arena, FastChat, GenAI-Bench), converted to ours, without pictures.

These logs lack the pictures, the seed (-1), the probability of the pair (0), the numbers of steps, the times and calls
(0). Where a column is missing, also the voter (each vote then gets its own), the prompt, and the time (then one minute
per row, from 1970 on, so that no voter seems too fast).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from hypersd.arena.dataset.imported import UNKNOWN, imported_entry, imported_pair
from hypersd.arena.dataset.values import is_missing, moment
from hypersd.arena.votes.battle import Battle, Choice, Entry, Kind, Vote

STUDY = "log"
"""The study of imported pairs; the open arena does not show them."""

CHOICES: Mapping[str, Choice] = {
    **dict.fromkeys(("model_a", "leftvote", "left", "a"), "left"),
    **dict.fromkeys(("model_b", "rightvote", "right", "b"), "right"),
    **dict.fromkeys(("tie", "tievote"), "tie"),
    **dict.fromkeys(("tie (bothbad)", "tie (both bad)", "both_bad", "bothbad", "bothbad_vote"), "both_bad"),
}
_MODELS = (("model_a", "model_b"), ("left_model", "right_model"), ("system_a", "system_b"))
_CHOSEN = ("winner", "vote_type", "preference")
_ONE_OF = ("winner_model_a", "winner_model_b", "winner_tie")
_VOTERS = ("judge", "judge_hash", "user_id", "evaluation_session_id", "user_pseudonym")
_MOMENTS = ("tstamp", "timestamp", "date")
_NAMES = ("question_id", "id", "battle_uuid")
_PROMPTS = ("prompt", "instruct_prompt")
COLUMNS = frozenset(
    {name for names in (*_MODELS, _CHOSEN, _ONE_OF, _VOTERS, _MOMENTS, _NAMES, _PROMPTS) for name in names}
    | {"models", "type", "anony"}
)
"""All columns that are read; conversations are skipped."""


def is_log(columns: AbstractSet[str]) -> bool:
    """True if a table with these columns is such a log."""
    if {"models", "type"} <= columns:
        return True
    return any(columns >= set(pair) for pair in _MODELS) and (bool(columns & set(_CHOSEN)) or columns >= set(_ONE_OF))


@dataclass(slots=True)
class LogReader:
    """Reader of one log's votes. It gives the same votes each time; equal rows become different votes."""

    kind: Kind
    seen: Counter[str] = field(default_factory=Counter[str])

    def vote(self, row: Mapping[str, Any]) -> Vote | None:
        """The vote of a row; None if it records something else (FastChat logs each turn of a chat, too).

        Raises:
            ValueError: the row is not a valid vote, or the voter knew the models' names.
        """
        if "type" in row and row["type"] not in CHOICES and "winner" not in row:
            return None
        if row.get("anony") in {False, "False", "false"}:
            raise ValueError("the models' names were shown (anony is false)")
        models, choice = _models(row), _choice(row)
        facts = [str(row.get(name)) for name in (*_NAMES, *_VOTERS, *_MOMENTS, *_PROMPTS)]
        content = sha256("\x1f".join((*models, choice, *facts)).encode(errors="surrogatepass")).hexdigest()
        self.seen[content] += 1
        name = sha256(f"{content}{self.seen[content]}".encode()).hexdigest()
        return self._vote(row, models, choice, name)

    def _vote(self, row: Mapping[str, Any], models: tuple[str, str], choice: Choice, name: str) -> Vote:
        when = _first(row, _MOMENTS)
        order = timedelta(minutes=self.seen.total())
        voted = datetime.fromtimestamp(0, UTC) + order if when is None else moment(when, "the time of the vote")
        voter = _first(row, _VOTERS)
        left, right = (_entry(model, f"{name}{side}") for model, side in zip(models, "ab", strict=True))
        prompt = str(_first(row, _PROMPTS) or UNKNOWN)
        pair = imported_pair(f"log{name[:29]}", prompt, STUDY, (left, right), voted)
        battle = Battle(
            id=pair.id,
            pair=pair,
            swapped=False,
            voter=f"log{(name if voter is None else sha256(str(voter).encode()).hexdigest())[:20]}",
            kind=self.kind,
            drawn=voted,
            expires=voted,
        )
        return Vote(id=pair.id, battle=battle, choice=choice, voted=voted)


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first of these cells that is not missing."""
    return next((row[name] for name in names if not is_missing(row.get(name))), None)


def _models(row: Mapping[str, Any]) -> tuple[str, str]:
    given = row.get("models")
    if not isinstance(given, list | tuple):
        given = next(([row[name] for name in names] for names in _MODELS if all(name in row for name in names)), [])
    if len(given) != 2 or not all(isinstance(model, str) and model.strip() for model in given):
        raise ValueError("it does not name two models")
    return given[0], given[1]


def _choice(row: Mapping[str, Any]) -> Choice:
    if all(name in row for name in _ONE_OF):
        chosen = [choice for choice, name in zip(("left", "right", "tie"), _ONE_OF, strict=True) if _is_true(row[name])]
        if len(chosen) == 1:
            return CHOICES[chosen[0]]
        raise ValueError(f"exactly one of {', '.join(_ONE_OF)} must be 1")
    said = _first(row, (*_CHOSEN, "type"))
    choice = CHOICES.get(said.strip().lower()) if isinstance(said, str) else None
    if choice is None:
        raise ValueError(f"the winner must be model_a, model_b, tie or both_bad, not {said!r}")
    return choice


def _is_true(cell: Any) -> bool:
    return str(cell).lower() in {"1", "1.0", "true"}


def _entry(model: str, name: str) -> Entry:
    """Entry of a model without a picture: the picture's name is a hash that no real picture has."""
    return imported_entry(model, f"none{sha256(name.encode()).hexdigest()[:60]}")
