"""Filtering of captioned pictures: measure, decide by limits, and write a list that trainings read.

SDXL-Lightning, whose data Hyper-SD follows, keeps pictures of more than 1024 pixels with an aesthetic score above 5.5
that are sharp by the Laplacian, with cleaned captions (Lin et al. 2024, section 4.1).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hypersd.training.filters.limits import DUPLICATE, FilterLimits, Rejection, rejection
from hypersd.training.filters.measurements import PictureMeasurement, read_measurements
from hypersd.training.sources.filtered_pictures import KEPT, KEPT_SCHEMA, FilterRecord, kept_batch
from hypersd.training.sources.picture_source import FILTER, PictureSource
from hypersd.utils.files import atomic_path, write_json
from hypersd.utils.spreadsheets import as_cell

REJECTED = "rejected.csv"
COLUMNS = ("name", "reason", "value", "limit")

Decision = tuple[PictureMeasurement, Rejection | None]


def write_filtered(
    source: PictureSource, measured: Sequence[Path], limits: FilterLimits, out: Path, *, text: str, column: str | None
) -> FilterRecord:
    """Decide by limits, and write the kept examples, the rejected ones and a record.

    Files are read one at a time; 16 bytes per picture are kept in memory, to find duplicate captions.

    Args:
        source: of the pictures.
        measured: files of `measure_source`, in order.
        limits: decide which pictures are kept.
        out: folder of the output.
        text: the source's name on the command line.
        column: the column of captions that the user named.

    Returns:
        The record, which is also written.

    Raises:
        OSError: a file cannot be read or written.
    """
    first = None if limits.duplicates else _first_rows(measured, limits)
    counts: Counter[str] = Counter()
    with (
        atomic_path(out / REJECTED) as dropped_file,
        atomic_path(out / KEPT) as kept_file,
        dropped_file.open("w", encoding="utf-8", newline="") as opened,
        pa.OSFile(str(kept_file), "wb") as sink,
        pa.ipc.new_file(sink, KEPT_SCHEMA) as kept,
    ):
        writer = csv.writer(opened)
        writer.writerow(COLUMNS)
        for file in measured:
            decisions = list(_decisions(file, limits, first))
            chosen = [picture for picture, reason in decisions if reason is None]
            dropped = [(picture, reason) for picture, reason in decisions if reason is not None]
            kept.write_batch(kept_batch([picture.row for picture in chosen], [picture.captions for picture in chosen]))
            writer.writerows((as_cell(picture.name), *asdict(reason).values()) for picture, reason in dropped)
            counts.update(reason.reason for _, reason in dropped)
    record = FilterRecord(
        source=text,
        caption_column=column,
        fingerprint=source.fingerprint,
        limits=asdict(limits),
        examples=len(source),
        kept=len(source) - counts.total(),
        rejected=dict(counts.most_common()),
    )
    write_json(out / FILTER, asdict(record))
    return record


def _decisions(file: Path, limits: FilterLimits, first: NDArray[np.int64] | None) -> Iterator[Decision]:
    """Each picture of a file with its reason for rejection; `first` are the sorted rows that are not duplicates."""
    for picture in read_measurements(file):
        reason = rejection(picture, limits)
        if reason is None and first is not None and not _contains(first, picture.row):
            reason = Rejection(reason=DUPLICATE, value=" | ".join(picture.captions))
        yield picture, reason


def _first_rows(measured: Sequence[Path], limits: FilterLimits) -> NDArray[np.int64]:
    """Sorted rows within the limits; only the first of several pictures with the same captions."""
    rows: list[NDArray[np.int64]] = []
    hashes: list[NDArray[np.uint64]] = []
    for file in measured:
        within = [picture for picture in read_measurements(file) if rejection(picture, limits) is None]
        rows.append(np.array([picture.row for picture in within], dtype=np.int64))
        hashes.append(np.array([_captions_hash(picture.captions) for picture in within], dtype=np.uint64))
    _, places = np.unique(np.concatenate(hashes), return_index=True)
    return np.sort(np.concatenate(rows)[places])


def _captions_hash(captions: Sequence[str]) -> int:
    """A hash of the captions of a picture, independent of order and letter case."""
    same = "\n".join(sorted(caption.casefold() for caption in captions))
    return int.from_bytes(sha256(same.encode()).digest()[:8], "big")


def _contains(rows: NDArray[np.int64], row: int) -> bool:
    place = int(np.searchsorted(rows, row))
    return place < len(rows) and int(rows[place]) == row
