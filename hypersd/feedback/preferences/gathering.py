"""Preferences to learn from, of the vote store or of an export, with their pictures."""

from __future__ import annotations

import logging
from pathlib import Path

from hypersd.arena.dataset.vote_files import shards
from hypersd.arena.storage import open_storage
from hypersd.arena.votes.battle import Kind
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preferences, from_votes, read_preferences
from hypersd.feedback.preferences.legible import with_pictures

log = logging.getLogger(__name__)


def check_votes(source: str | None) -> None:
    """See that the votes of a source can be read: its Parquet files are there and whole, or the vote store answers.

    Raises:
        ValueError: a file is damaged, or the store does not answer.
        OSError: the source cannot be reached.
    """
    if source is None:
        open_storage()[0].engine.dispose()
        return
    for shard in shards(source):
        shard.columns()


def gather_preferences(source: str | None, kind: Kind | None, folder: Path) -> tuple[Preferences, ImageStore]:
    """The votes of a source, and where their pictures are.

    Args:
        source: an export, whose pictures are unpacked into `folder`; None means the vote store.
        kind: of the voters; None means people if there are votes of any, else simulated ones.
        folder: of the work that needs them.

    Raises:
        ValueError: there are no votes of this kind that count, or they cannot be read.
        OSError: the source cannot be reached.
    """
    if source is not None:
        pictures = ImageStore(str(folder / "pictures"))
        return read_preferences(source, pictures, kind), pictures
    store, pictures = open_storage()
    counted = from_votes(store.votes(), kind)
    if not counted.examples:
        reason = f"there are no {counted.kind} votes that count in the vote store"
        raise ValueError(f"{reason}; collect some, or name --votes")
    preferences, lost = with_pictures(counted, pictures)
    if lost:
        left_out = len(counted.examples) - len(preferences.examples)
        example = next(iter(lost))
        log.warning(
            "%s votes are left out, since a picture of theirs is missing or damaged (%s)", f"{left_out:,}", example
        )
    if not preferences.examples:
        raise ValueError(f"no picture of the {len(counted.examples):,} votes in the vote store can be read")
    return preferences, pictures
