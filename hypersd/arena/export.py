"""Votes as a dataset: Parquet with the pictures inside, split by prompt, with a card written from the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hypersd.arena.battle import Kind, Vote
from hypersd.arena.card import TITLE, describe
from hypersd.arena.formats import (
    FEATURES,
    FORMATS,
    Format,
    Read,
    Row,
    arena_row,
    imagereward_rows,
    pickapic_rows,
    preference_rows,
)
from hypersd.arena.pictures import Pictures
from hypersd.arena.splits import SPLITS, split_of
from hypersd.arena.trust import Cleaned, clean

_ROWS_AT_ONCE = 64
"""How many rows are in memory, pictures and all: about 200 MB with pictures of 1024 pixels."""


@dataclass(frozen=True)
class Export:
    """What was written: rows for each split, and the files."""

    rows: Mapping[str, int]
    files: tuple[Path, ...]


def export(
    votes: Iterable[Vote],
    pictures: Pictures,
    form: Format,
    out: Path,
    *,
    kind: Kind = "human",
    drop_ties: bool = False,
) -> Export:
    """Write votes of one kind of voter as `out/SPLIT.parquet` and a card; `datasets.load_dataset(out)` opens it.

    `arena` holds every vote, the others those that count (`trust.clean`). Ties are 0.5 each in `pickapic`, which the
    diffusers DPO script would read as a win of the first: drop them for it. `preference` has none. An export that was
    there before is replaced as a whole, and stays as it was if something fails.

    Raises:
        ValueError: the format is unknown, there are no votes to write, or `out` has a card that no export wrote.
        OSError: a picture is missing or damaged, or `out` cannot be written.
    """
    if form not in FORMATS:
        raise ValueError(f"unknown format {form!r}; choose from: {', '.join(FORMATS)}")
    _check_own(out / "README.md")
    mine = [vote for vote in votes if vote.battle.kind == kind]
    cleaned = clean(mine, kind=kind)
    used = mine if form == "arena" else [vote for vote in cleaned.kept if vote.winner or not drop_ties]
    by_split: dict[str, list[Vote]] = {split: [] for split in SPLITS}
    for vote in used:
        by_split[split_of(vote.battle.pair.prompt)].append(vote)
    out.mkdir(parents=True, exist_ok=True)
    parts = {split: out / f"{split}.parquet.part" for split in SPLITS}
    try:
        written = {
            split: write(parts[split], form, _rows(form, theirs, cleaned, pictures.get))
            for split, theirs in by_split.items()
        }
        if not any(written.values()):
            raise ValueError(f"there are no {kind} votes to write in this format")
        files = tuple(_put(parts[split], out / f"{split}.parquet", rows) for split, rows in written.items())
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    counts = {split: rows for split, rows in written.items() if rows}
    (out / "README.md").write_text(describe(form, kind, mine, cleaned, counts), encoding="utf-8")
    return Export(counts, tuple(file for file in files if file))


def _put(part: Path, file: Path, rows: int) -> Path | None:
    """What was written becomes the file; a split without rows has none."""
    if rows:
        return part.replace(file)
    file.unlink(missing_ok=True)
    return None


def write(file: Path, form: Format, rows: Iterable[Row]) -> int:
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


def _rows(form: Format, votes: Sequence[Vote], cleaned: Cleaned, read: Read) -> Iterator[Row]:
    if form == "arena":
        reasons = {vote.id: reason for vote, reason in cleaned.dropped}
        return (arena_row(vote, reasons.get(vote.id), read) for vote in votes)
    if form == "pickapic":
        return pickapic_rows(votes, read)
    if form == "preference":
        return preference_rows(votes, read)
    return imagereward_rows(votes, read)


def _check_own(card: Path) -> None:
    """Refuse to write over a README that is somebody else's.

    Raises:
        ValueError: it is.
    """
    if card.exists() and TITLE not in card.read_text(encoding="utf-8", errors="replace"):
        raise ValueError(f"{card} was not written by an export, and would be lost; choose another folder")
