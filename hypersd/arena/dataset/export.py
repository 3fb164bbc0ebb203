"""Votes as a dataset: Parquet with the pictures inside, split by prompt, with a card written from the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hypersd.arena.dataset.card import describe, recognise
from hypersd.arena.dataset.formats import (
    FEATURES,
    FORMATS,
    DatasetRow,
    Format,
    ReadImage,
    arena_row,
    imagereward_rows,
    pickapic_rows,
    preference_rows,
)
from hypersd.arena.dataset.splits import SPLITS, split_of
from hypersd.arena.votes.battle import Kind, Vote
from hypersd.arena.votes.images import ImageStore
from hypersd.arena.votes.quality import Cleaned, clean
from hypersd.utils.files import atomic_folder, write_text
from hypersd.utils.outputs import Owners, output_folder

_CARD = "README.md"
_ROWS_AT_ONCE = 64
"""Rows held in memory at once, pictures and all: about 200 MB with pictures of 1024 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A dataset that was written.

    Args:
        rows: by split; a split without rows has no file.
        files: of the splits.
        left_out: votes that are not in it, since a picture of theirs is missing or damaged.
        lost: such a picture, and what is wrong with it; empty if there is none.
    """

    rows: Mapping[str, int]
    files: tuple[Path, ...]
    left_out: int = 0
    lost: str = ""


@dataclass(slots=True)
class _Reader:
    """Pictures by name. Those that cannot be read are remembered, and are empty; their rows are then written anew."""

    pictures: ImageStore
    lost: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, name: str) -> bytes:
        try:
            return self.pictures.get(name)
        except OSError as error:
            self.lost[name] = error.strerror or f"{error}"
            return b""


def export(
    votes: Iterable[Vote],
    pictures: ImageStore,
    form: Format,
    out: Path,
    *,
    kind: Kind = "human",
    drop_ties: bool = False,
) -> Export:
    """Write votes of one kind of voter as `out/SPLIT.parquet` and a card; `datasets.load_dataset(out)` opens it.

    `arena` holds every vote, the others those that count (`quality.clean`). Ties are 0.5 each in `pickapic`, which the
    diffusers DPO script would read as a win of the first: drop them for it. `preference` has none. Votes of which a
    picture cannot be read are left out and counted. An earlier export of the same format and kind is replaced as a
    whole, and stays as it was if something fails.

    Raises:
        ValueError: the format is unknown, there are no votes to write, or `out` holds files of these names that are no
            earlier export of this format and kind.
        OSError: `out` cannot be written.
    """
    if form not in FORMATS:
        raise ValueError(f"unknown format {form!r}; choose from: {', '.join(FORMATS)}")
    mine = [vote for vote in votes if vote.battle.kind == kind]
    cleaned = clean(mine, kind=kind)
    used = mine if form == "arena" else [vote for vote in cleaned.kept if vote.winner or not drop_ties]
    names = [_CARD, *(f"{split}.parquet" for split in SPLITS)]
    with output_folder(out, _command(form, kind), names, _recognise), atomic_folder(out) as part:
        reader = _Reader(pictures)
        left = _write_splits(part, form, used, cleaned, reader)
        left_out = len(used) - len(left)
        lost = next((f"the picture {name[:12]}…: {reason}" for name, reason in reader.lost.items()), "")
        rows = {split: pq.read_metadata(file).num_rows for split in SPLITS if (file := _file(part, split)).exists()}
        if not rows:
            without = f": {left_out:,} are left out, since a picture cannot be read ({lost})" if left_out else ""
            raise ValueError(f"there are no {kind} votes to write in this format{without}")
        write_text(part / _CARD, describe(form, kind, mine, cleaned, rows, left_out=left_out))
    return Export(rows=rows, files=tuple(_file(out, split) for split in rows), left_out=left_out, lost=lost)


def _file(folder: Path, split: str) -> Path:
    return folder / f"{split}.parquet"


def _write_splits(
    folder: Path, form: Format, votes: Sequence[Vote], cleaned: Cleaned, reader: _Reader
) -> Sequence[Vote]:
    """Write a file for each split that has rows; returns the votes without those of which a picture is lost.

    Which are lost is known when all have been read: then everything is written once more, without them.
    """
    while True:
        known = len(reader.lost)
        for split in SPLITS:
            rows = _rows(form, [vote for vote in votes if split_of(vote.battle.pair.prompt) == split], cleaned, reader)
            if not write(_file(folder, split), form, rows):
                _file(folder, split).unlink()
        if len(reader.lost) == known:
            return votes
        votes = [vote for vote in votes if not any(entry.picture in reader.lost for entry in vote.battle.pair.entries)]


def write(file: Path, form: Format, rows: Iterable[DatasetRow]) -> int:
    """Write rows of a format as Parquet, some at a time; returns how many there were.

    Raises:
        OSError: the file cannot be written.
    """
    schema, count, waiting = FEATURES[form].arrow_schema, 0, iter(rows)
    with pq.ParquetWriter(file, schema) as writer:
        while some := list(islice(waiting, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            count += len(some)
    return count


def _rows(form: Format, votes: Sequence[Vote], cleaned: Cleaned, read: ReadImage) -> Iterator[DatasetRow]:
    if form == "arena":
        reasons = {vote.id: reason for vote, reason in cleaned.dropped}
        return (arena_row(vote, reasons.get(vote.id), read) for vote in votes)
    if form == "pickapic":
        return pickapic_rows(votes, read)
    if form == "preference":
        return preference_rows(votes, read)
    return imagereward_rows(votes, read)


def _command(form: str, kind: str) -> str:
    return f"votes export --format {form} --kind {kind}"


def _recognise(folder: Path) -> Owners:
    """Files beside an export's card, as the card names them, by the command that wrote them."""
    try:
        card = (folder / _CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    known = recognise(card)
    return {_command(known.form, known.kind): [_CARD, *known.files]} if known else {}
