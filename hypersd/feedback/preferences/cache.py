"""The choices that a round learns from, in a file of its own: the arena's voters go on while the round learns."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hypersd.feedback.preferences.dataset import Preference, Preferences
from hypersd.utils.estimates import Estimate
from hypersd.utils.files import write_json


def cached_preferences(preferences: Preferences, file: Path) -> Preferences:
    """Preferences in the file; if there is none yet, write these to it.

    Raises:
        ValueError: the file is damaged.
        OSError: it cannot be written.
    """
    if file.exists():
        return _read(file)
    write_json(file, asdict(preferences))
    return preferences


def _read(file: Path) -> Preferences:
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return Preferences(
            examples=tuple(_preference(one) for one in document["examples"]),
            kind=document["kind"],
            self_agreement=Estimate(**document["self_agreement"]),
            agreement=Estimate(**document["agreement"]),
            cast=document["cast"],
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{file} is damaged ({error}); delete its folder and the round starts anew") from error


def _preference(row: dict[str, Any]) -> Preference:
    pairs: dict[str, Any] = {name: tuple(row[name]) for name in ("pictures", "models")}
    return Preference(**{**row, **pairs})
