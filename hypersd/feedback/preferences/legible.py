"""Choices whose pictures can be read: a folder of pictures can lose one, and the others are to be learned from."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preferences


def with_pictures(preferences: Preferences, pictures: ImageStore) -> tuple[Preferences, AbstractSet[str]]:
    """The choices on pictures that can be read, and the names of the pictures that are missing or damaged."""
    lost = {
        name
        for name in sorted({name for example in preferences.examples for name in example.pictures})
        if not _is_readable(name, pictures)
    }
    kept = tuple(example for example in preferences.examples if not lost & set(example.pictures))
    return replace(preferences, examples=kept), lost


def _is_readable(name: str, pictures: ImageStore) -> bool:
    try:
        pictures.open(name)
    except OSError:  # also what Pillow makes of bytes that are no picture
        return False
    return True
