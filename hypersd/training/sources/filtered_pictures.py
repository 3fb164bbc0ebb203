"""Pictures of another source kept by a filter, with cleaned captions: a list of rows without copies of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from hypersd.training.records import hash_file, hash_text
from hypersd.training.sources.picture_source import FILTER, PictureFile, PictureSource
from hypersd.utils.file_kinds import misread
from hypersd.utils.readers import read_json

KEPT = "kept.arrow"
KEPT_SCHEMA = pa.schema({"row": pa.int64(), "captions": pa.large_list(pa.large_string())})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRecord:
    """Record of a filter: its source as typed, the column of the captions, and their fingerprint."""

    source: str
    caption_column: str | None
    fingerprint: str
    limits: dict[str, float | bool | None]
    examples: int
    kept: int
    rejected: dict[str, int]


@dataclass(frozen=True)
class FilteredPictures:
    """The examples of a source that a filter kept (see `PictureSource`); their list stays on disk.

    Args:
        source: of the pictures.
        examples: a table of `KEPT_SCHEMA`.
        digest: a hash of the table.
    """

    source: PictureSource
    examples: pa.Table
    digest: str

    @classmethod
    def open(cls, folder: Path, open_source: Callable[[str, str | None], PictureSource]) -> FilteredPictures:
        """Open the output folder of a filter.

        Args:
            folder: of the filter.
            open_source: opens its source from the text for it and the column of the captions.

        Raises:
            ValueError: the list is damaged or empty, or the source has changed since the filter ran.
            OSError: a file or the source is missing.
        """
        record: FilterRecord = read_json(folder / FILTER, FilterRecord, "the record of a filter")
        source = open_source(record.source, record.caption_column)
        if source.fingerprint != record.fingerprint:
            raise ValueError(
                f"{record.source} has changed since {folder} was filtered; give `data filter` the same options again"
            )
        examples = read_kept(folder / KEPT)
        if not len(examples):
            raise ValueError(f"{folder} holds no pictures: the filter has kept none of {record.source}")
        return cls(source, examples, hash_file(folder / KEPT))

    @property
    def fingerprint(self) -> str:
        """A hash of the source, the rows and their captions."""
        return hash_text(self.source.fingerprint, self.digest)

    def __len__(self) -> int:
        return len(self.examples)

    def name(self, index: int) -> str:
        """Name of the example in the source."""
        return self.source.name(self._row(index))

    def picture(self, index: int) -> PictureFile:
        """Picture of an example.

        Raises:
            ValueError, OSError: as the source's.
        """
        return self.source.picture(self._row(index))

    def captions(self, index: int) -> list[str]:
        """The cleaned captions of an example."""
        return self.examples["captions"][index].as_py()

    def _row(self, index: int) -> int:
        return self.examples["row"][index].as_py()


def read_kept(file: Path) -> pa.Table:
    """The list of kept examples in a file, left on disk.

    Raises:
        OSError: it is missing.
        ValueError: it is damaged.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
    except pa.ArrowInvalid as error:
        raise misread(file, "the list of a filter", str(error)) from error
    if table.schema != KEPT_SCHEMA:
        raise misread(file, "the list of a filter", "it has other columns")
    return table


def kept_batch(rows: Sequence[int], captions: Sequence[Sequence[str]]) -> pa.RecordBatch:
    """A batch of kept examples in the format of the file."""
    return pa.RecordBatch.from_pydict(
        {"row": list(rows), "captions": [list(texts) for texts in captions]}, schema=KEPT_SCHEMA
    )
