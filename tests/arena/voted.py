"""Votes with real pictures, for tests of export and publishing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Battle, Choice, Contestant, Entry, Kind, Pair, Vote, now
from hypersd.arena.votes.images import ImageStore


def vote(
    store: Store,
    pictures: ImageStore,
    number: int,
    kind: Kind = "human",
    *,
    models: Sequence[str] = "ab",
    voter: str = "ann",
    choice: Choice = "left",
    **changes: Any,
) -> Vote:
    """A new pair and a vote on it; `changes` are fields of the pair."""
    names = [pictures.put(Image.new("RGB", (8, 8), (number % 256, shade, number // 256))) for shade in (0, 255)]
    first, second = (
        Entry(contestant=Contestant("toy", model, 1), picture=name, seconds=0.1, calls=1, version="1")
        for model, name in zip(models, names, strict=True)
    )
    given = {"prompt": f"prompt {number}", "prompt_set": "toy", "seed": number, "probability": 1.0}
    pair = Pair(entries=(first, second), **{**given, **changes})
    store.pairs.add(pair)
    moment = now()
    battle = Battle(
        pair=pair, swapped=False, voter=voter, kind=kind, shown=moment, expires=moment + timedelta(minutes=1)
    )
    store.battles.add(battle)
    vote = Vote(battle=battle, choice=choice)
    store.add_vote(vote)
    return vote


def fresh(tmp_path: Path, name: str) -> tuple[Store, ImageStore]:
    """A new machine."""
    return Store(f"sqlite:///{tmp_path}/{name}.sqlite"), ImageStore(str(tmp_path / name))
