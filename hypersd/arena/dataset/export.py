"""Export of votes as a dataset: Parquet with embedded pictures, split by prompt, and a card."""

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
"""Rows held in memory at once with their pictures: about 200 MB for pictures of 1024 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A dataset that was written.

    Args:
        rows: number of rows by split; a split without rows has no file.
        files: the files of the splits.
        left_out: number of votes left out because one of their pictures is missing or damaged.
        lost: one such picture and its fault; empty if there is none.
    """

    rows: Mapping[str, int]
    files: tuple[Path, ...]
    left_out: int = 0
    lost: str = ""


@dataclass(slots=True)
class _Reader:
    """Reader of pictures by name. An unreadable picture is recorded and read as empty bytes."""

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

    `arena` holds every vote, the other formats only votes that count (`quality.clean`). A tie is 0.5 each in
    `pickapic`; the diffusers DPO script reads it as a win of the first picture, so drop ties for it. `preference` has
    no ties. Votes with an unreadable picture are left out and counted. An earlier export of the same format and kind
    is replaced as a whole, and is left unchanged if the export fails.

    Raises:
        ValueError: the format is unknown, there are no votes to write, or `out` holds files of these names that were
            not written by an earlier export of this format and kind.
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
    """Write a file for each split that has rows; return the votes whose pictures could be read.

    Lost pictures are known only after all were read: if there are any, the files are written again without them.
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
    """Write rows of a format as Parquet, in batches; return their number.

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
    """Map each file that the folder's card names to the command that wrote it."""
    try:
        card = (folder / _CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    known = recognise(card)
    return {_command(known.form, known.kind): [_CARD, *known.files]} if known else {}
