"""Files of votes, ours and other arenas', read in batches; an invalid row does not stop the others."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import BadGzipFile
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from hypersd.arena.dataset import arena_rows, crowdsourced, logs
from hypersd.arena.dataset.arena_rows import IMAGES, checked, vote_of_arena_row
from hypersd.arena.dataset.log_files import LFS, read_rows
from hypersd.arena.dataset.pickapic import vote_of_row
from hypersd.arena.dataset.pickapic_row import VOTE_COLUMNS, PickAPicRow, parse_row
from hypersd.arena.votes.battle import Kind, Vote
from hypersd.arena.votes.images import ImageStore

T = TypeVar("T")
"""A vote, or another type that a row is converted to."""

_BATCH, _BATCH_WITH_PICTURES = 256, 16
_TEXTS = (".jsonl", ".json", ".csv", ".ndjson", ".jsonl.gz", ".json.gz", ".csv.gz")
_SOURCES = "name a file, a folder or hf://datasets/OWNER/NAME"
_NO_EXPORT = "is damaged, or not an export of the arena format"
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, EOFError, OverflowError)
"""Errors that mean that a row is not a valid vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A row that is not a valid vote: its number in the file, from 1, and the reason."""

    file: str
    row: int
    reason: str


Rows = Iterator[tuple[int, Mapping[str, Any] | str]]
"""Numbers of rows from 1, each with the row or the reason why it cannot be read."""


@dataclass(slots=True)
class Rejects:
    """Rejected rows, collected while reading."""

    skipped: list[Skipped] = field(default_factory=list[Skipped])
    unlabelled: int = 0


@dataclass(frozen=True)
class Shard:
    """A file of votes: in a folder, on the Hub, or at any fsspec URL."""

    system: Any
    path: str

    @property
    def name(self) -> str:
        """File name without its extension."""
        return Path(self.path).stem

    def is_parquet(self) -> bool:
        """True if the file is Parquet, by its name or its first bytes.

        Raises:
            ValueError: the file is empty, or a git-lfs pointer.
            OSError: the file cannot be read.
        """
        with self.system.open(self.path, "rb") as file:
            head: bytes = file.read(len(LFS))
        if not head:
            raise ValueError(f"{self.path} is empty")
        if head == LFS:
            raise ValueError(f"{self.path} is a git-lfs pointer, not the file itself; fetch it with `git lfs pull`")
        return head.startswith(b"PAR1") or self.path.endswith(".parquet")

    def columns(self) -> set[str]:
        """Column names of the Parquet file.

        Raises:
            ValueError: the file is not Parquet, or is damaged; the message names it.
            OSError: the file cannot be read.
        """
        with self._parquet() as table:
            return set(table.schema_arrow.names)

    def batches(self, pictures: ImageStore | None, rejects: Rejects | None = None) -> Iterator[list[Vote]]:
        """Votes in the `arena` format, in batches.

        Args:
            pictures: receives the pictures; without it they are not read.
            rejects: receives invalid rows; without it, the first of them raises an error.

        Raises:
            ValueError: the file is not an export of the `arena` format, or is damaged; the message names it.
            OSError: the file cannot be read, or the pictures cannot be written.
        """
        known = self.columns()
        if missing := sorted(arena_rows.COLUMNS - known):
            raise ValueError(f"{self.path} {_NO_EXPORT}: it has no column {missing[0]}")
        needed = arena_rows.COLUMNS | (arena_rows.LATER & known)
        columns = needed if pictures else needed - IMAGES
        at_once = _BATCH if pictures is None else _BATCH_WITH_PICTURES
        rows = self._parquet_rows(columns, at_once)
        return self._read(rows, lambda row: vote_of_arena_row(row, pictures), rejects, at_once, _NO_EXPORT)

    def pickapic(
        self, kind: Kind, pictures: ImageStore | None, known: Container[int | None], rejects: Rejects
    ) -> Iterator[list[Vote]]:
        """Labelled votes of a file in the columns of Pick-a-Pic, in batches.

        Args:
            kind: of the voters, where a row does not say.
            pictures: receives the pictures, if given.
            known: `ranking_id`s that are left out.
            rejects: receives invalid rows, and the number of rows without a label.

        Raises:
            ValueError: the file is damaged; the message names it.
            OSError: the file cannot be read, or the pictures cannot be written.
        """

        def vote(row: PickAPicRow) -> Vote | None:
            return None if row.ranking in known else checked(vote_of_row(row, kind, pictures))

        return self.pickapic_rows(vote, VOTE_COLUMNS, rejects)

    def pickapic_rows(
        self, convert: Callable[[PickAPicRow], T | None], columns: AbstractSet[str], rejects: Rejects | None = None
    ) -> Iterator[list[T]]:
        """Labelled rows of a file in the columns of Pick-a-Pic, converted, in batches.

        Args:
            convert: converts a row, or returns None to leave it out; raises a ValueError for an invalid row.
            columns: columns to read, if the file has them.
            rejects: receives invalid rows, and the number of rows without a label; without it, the first invalid row
                raises an error.

        Raises:
            ValueError: the file is damaged, or no row is valid; the message names it.
            OSError: the file cannot be read, or `convert` cannot write.
        """

        def read(row: Mapping[str, Any]) -> T | None:
            parsed = parse_row(row)
            if parsed is None and rejects:
                rejects.unlabelled += 1
            return convert(parsed) if parsed else None

        rows = self._parquet_rows(self.columns() & columns, _BATCH_WITH_PICTURES)
        return self._read(rows, read, rejects, _BATCH_WITH_PICTURES)

    def log(self, kind: Kind, rejects: Rejects) -> Iterator[list[Vote]]:
        """The votes of another arena's log, in batches; see `hypersd.arena.dataset.logs`.

        Raises:
            ValueError: the file is damaged; the message names it.
            OSError: the file cannot be read.
        """
        in_parquet = self.is_parquet()
        rows = self._parquet_rows(self.columns() & logs.COLUMNS, _BATCH) if in_parquet else self.text_rows()
        reader = logs.LogReader(kind)

        def read(row: Mapping[str, Any]) -> Vote | None:
            vote = reader.vote(row)
            rejects.unlabelled += vote is None
            return checked(vote) if vote else None

        return self._read(rows, read, rejects, _BATCH)

    def crowdsourced(self, kind: Kind, pictures: ImageStore | None, rejects: Rejects) -> Iterator[list[Vote]]:
        """The votes of a file whose rows hold several, in batches; see `hypersd.arena.dataset.crowdsourced`.

        Raises:
            ValueError: the file is damaged; the message names it.
            OSError: the file cannot be read, or the pictures cannot be written.
        """
        reader = crowdsourced.CrowdsourcedReader(kind, pictures, self._beside)
        rows = self.text_rows()
        if self.is_parquet():
            known = self.columns() & crowdsourced.COLUMNS
            names = known if pictures else {f"{name}.path" if name in crowdsourced.IMAGES else name for name in known}
            rows = self._parquet_rows(names, _BATCH_WITH_PICTURES if pictures else _BATCH)

        def read(row: Mapping[str, Any]) -> list[Vote] | None:
            votes = [checked(vote) for vote in reader.votes(row)]
            rejects.unlabelled += not votes
            return votes or None

        for batch in self._read(rows, read, rejects, _BATCH_WITH_PICTURES):
            yield [vote for votes in batch for vote in votes]

    def _beside(self, name: str) -> bytes:
        """A file that a row names: beside this one, or in the folder `train` or `test` there.

        Raises:
            OSError: there is none; a name that leads out of the folder is none either.
        """
        parts = PurePosixPath(name).parts
        if ".." in parts or PurePosixPath(name).is_absolute() or "\\" in name:
            raise FileNotFoundError(name)
        folder = PurePosixPath(self.path).parent
        for place in ("", "train", "test"):
            path = str(folder / place / name)
            if self.system.isfile(path):
                return self.system.cat_file(path)
        raise FileNotFoundError(name)

    def text_rows(self) -> Rows:
        """Rows of the file as JSON, JSON Lines or CSV, maybe compressed.

        Raises:
            ValueError: the file has none of these formats; the message names it.
            OSError: the file cannot be read.
        """
        with self.system.open(self.path, "rb", compression="infer") as file:
            try:
                yield from read_rows(file)
            except (ValueError, EOFError, zlib.error, BadGzipFile) as error:
                raise ValueError(f"{self.path} is not a file of votes: {_first_line(error)}") from error

    def _parquet_rows(self, columns: Iterable[str], at_once: int) -> Rows:
        number = 0
        with self._parquet() as table:
            for batch in table.iter_batches(at_once, columns=sorted(columns)):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row

    @contextmanager
    def _parquet(self) -> Generator[pq.ParquetFile]:
        """The open file.

        Raises:
            ValueError: the file is not Parquet, or is damaged; the message names it.
            OSError: the file cannot be read.
        """
        with self.system.open(self.path, "rb") as file:
            try:
                yield pq.ParquetFile(file)
            except (pa.ArrowException, ValueError, EOFError, OverflowError, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:  # Arrow's own errors have no number
                    raise
                raise ValueError(f"{self.path} is damaged, or not a Parquet file: {_first_sentence(error)}") from error

    def _read(
        self,
        rows: Rows,
        read: Callable[[Mapping[str, Any]], T | None],
        rejects: Rejects | None,
        at_once: int,
        complaint: str = "has a row that is not a valid vote",
    ) -> Iterator[list[T]]:
        """Rows converted by `read`, in batches.

        Raises:
            ValueError: no row is valid, or, without rejects, a row is invalid.
        """
        broken: Skipped | None = None
        readable = False
        while some := list(islice(rows, at_once)):
            votes: list[T] = []
            for number, row in some:
                try:
                    vote = read(_readable(row))
                except _BROKEN as error:
                    skipped = Skipped(file=self.path, row=number, reason=_reason(error))
                    if rejects is None:
                        raise ValueError(f"{self.path} {complaint}: {_row_fault(skipped)}") from error
                    rejects.skipped.append(skipped)
                    broken = broken or skipped
                    continue
                readable = True
                if vote:
                    votes.append(vote)
            yield votes
        if broken and not readable:
            raise ValueError(f"{self.path} {complaint}: {_row_fault(broken)}")


def shards(source: str | Path) -> list[Shard]:
    """The files of a source: one file, or a folder and its subfolders; a path or any fsspec URL.

    In a folder these are the Parquet files or, if there are none, the files with the extension of a log.

    Raises:
        FileNotFoundError: there is none.
        OSError: the source cannot be reached.
        ValueError: the source is an empty string, which would mean the current folder.
    """
    if not str(source).strip():
        raise ValueError(f"the source of votes is empty; {_SOURCES}")
    try:
        system, root = fsspec.core.url_to_fs(str(source))
        system.invalidate_cache()
        value = [root] if system.isfile(root) else system.find(root)
        missing = not value and not system.exists(root)
    except Exception as error:  # each fsspec backend raises its own errors
        if isinstance(error, FileNotFoundError) or (isinstance(error, OSError) and "://" not in str(source)):
            raise
        raise OSError(f"{source} cannot be reached: {_first_sentence(error)}; {_SOURCES}") from error
    if missing:
        raise FileNotFoundError(f"{source}: No such file or directory; {_SOURCES}")
    for endings in ((".parquet",), _TEXTS):
        if files := [Shard(system, path) for path in sorted(value) if path == root or path.endswith(endings)]:
            return files
    raise FileNotFoundError(f"{source} contains neither Parquet files nor logs ({', '.join(_TEXTS[:3])})")


def _readable(row: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """The row.

    Raises:
        ValueError: the row could not be read; the text is the reason.
    """
    if isinstance(row, str):
        raise ValueError(row)  # noqa: TRY004 - the data is wrong, not a call
    return row


def _reason(error: Exception) -> str:
    """Description of a row's fault; a `KeyError` holds only the name of the missing column."""
    return f"it has no {error.args[0]}" if isinstance(error, KeyError) else _first_line(error)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _first_sentence(error: BaseException) -> str:
    """A library's complaint without the advice after it, which is about the library."""
    return _first_line(error).partition(". ")[0].rstrip(".")


def _row_fault(skipped: Skipped) -> str:
    return f"row {skipped.row}: {skipped.reason}"
