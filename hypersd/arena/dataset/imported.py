"""Pairs of other arenas, whose generators, seeds and costs are not known."""

from __future__ import annotations

from datetime import datetime

from hypersd.arena.votes.battle import Contestant, Entry, Pair

UNKNOWN = "unknown"


def imported_entry(model: str, picture: str) -> Entry:
    """A picture of another arena.

    Args:
        model: a contestant's label, or any other name of a model.
        picture: name of the picture.
    """
    try:
        contestant = Contestant.parse(model)
    except ValueError:
        contestant = Contestant(UNKNOWN, model, 0)
    return Entry(contestant=contestant, picture=picture, seconds=0.0, calls=0, version=UNKNOWN)


def imported_pair(pair_id: str, prompt: str, study: str, entries: tuple[Entry, Entry], created: datetime) -> Pair:
    """A pair of another arena; its votes are counted in a study of their own."""
    return Pair(
        id=pair_id,
        prompt=prompt,
        prompt_set=study,
        seed=-1,
        entries=entries,
        probability=0.0,
        study=study,
        device=UNKNOWN,
        created=created,
    )
