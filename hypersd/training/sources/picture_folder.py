"""A folder of pictures with captions in `metadata.jsonl`, as for `datasets`, or in NAME.txt next to NAME.png."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

from hypersd.training.sources.picture_source import (
    PICTURE_ENDINGS,
    PictureFile,
    caption_column,
    caption_texts,
    plain_text,
)
from hypersd.utils.file_kinds import read_text

METADATA = "metadata.jsonl"
FILE_NAME = "file_name"
_BESIDE = ("txt", "caption")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """A picture of a folder, and its caption.

    Args:
        name: of the picture's file in the folder.
        caption: from the metadata; None if it has none.
        beside: name of the text file with the caption; None if there is none.
    """

    name: str
    caption: Any = None
    beside: str | None = None


@dataclass(frozen=True)
class PictureFolder:
    """The captioned pictures in a folder and its subfolders (see `PictureSource`)."""

    folder: Path
    entries: tuple[FolderEntry, ...]

    @classmethod
    def open(cls, folder: Path, column: str | None = None) -> PictureFolder:
        """List the pictures of a folder: those in its metadata if it has any, otherwise all.

        Args:
            folder: of the pictures.
            column: column of the metadata with the captions; None for the most likely one.

        Raises:
            ValueError: the metadata is damaged or has no captions, or the folder has no picture.
            OSError: the folder cannot be read.
        """
        file = folder / METADATA
        entries = tuple(_described(file, column) if file.exists() else _beside(folder))
        if not entries:
            raise ValueError(f"{folder} holds no pictures to train on")
        return cls(folder, entries)

    @property
    def fingerprint(self) -> str:
        """A hash of the names, sizes and times of the files, and of the captions in the metadata."""
        digest = sha256()
        for entry in self.entries:
            stamps = [_stamp(self.folder / name) for name in (entry.name, entry.beside) if name is not None]
            digest.update(json.dumps([entry.name, entry.caption, *stamps]).encode())
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, index: int) -> str:
        """Path of a picture's file."""
        return str(self.folder / self.entries[index].name)

    def picture(self, index: int) -> PictureFile:
        """Path of a picture's file."""
        return self.folder / self.entries[index].name

    def captions(self, index: int) -> list[str]:
        """The captions of a picture.

        Raises:
            ValueError: it has none, or they are no texts.
            OSError: the file of its caption cannot be read.
        """
        entry = self.entries[index]
        if entry.beside is None:
            return caption_texts(entry.caption)
        return caption_texts(plain_text((self.folder / entry.beside).read_bytes()))


def _described(file: Path, column: str | None) -> Iterator[FolderEntry]:
    """The pictures in a metadata file."""
    records = [(number, _record(file, number, line)) for number, line in _lines(file)]
    columns = {name for _, record in records for name in record}
    names = [name for name in columns if name == FILE_NAME or name.endswith(f"_{FILE_NAME}")]
    if records and len(names) != 1:
        raise ValueError(f"{file} must name each picture's file in one column, {FILE_NAME}; it has {len(names)}")
    text = caption_column(sorted(columns - {*names}), column, str(file)) if records else ""
    for number, record in records:
        if not isinstance(name := record.get(names[0]), str) or not name:
            raise ValueError(f"{file}: line {number} names no file of a picture in {names[0]}")
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise ValueError(
                f"{file}: line {number} names a file outside of its folder, {name}; move it into the folder"
            )
        yield FolderEntry(name=name, caption=record.get(text))


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    lines = enumerate(read_text(file).split("\n"), start=1)  # splitlines() would also split inside a string
    return ((number, line) for number, line in lines if line.strip())


def _record(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: line {number} is no JSON") from error
    if isinstance(record, dict):
        return record
    raise ValueError(f"{file}: line {number} is no JSON object")


def _beside(folder: Path) -> Iterator[FolderEntry]:
    """All pictures in a folder and its subfolders, sorted by name, without hidden files and folders."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    shown = [name for name in files if not any(part.startswith(".") for part in name.split("/"))]
    texts = {name for name in shown if name.rpartition(".")[2].lower() in _BESIDE}
    for name in shown:
        stem, _, ending = name.rpartition(".")
        if ending.lower() in PICTURE_ENDINGS:
            beside = (f"{stem}.{kind}" for kind in (*_BESIDE, *(kind.upper() for kind in _BESIDE)))
            yield FolderEntry(name=name, beside=next((text for text in beside if text in texts), None))


def _stamp(file: Path) -> tuple[int, int] | None:
    """Size in bytes and modification time of a file; None if it is missing."""
    if not file.exists():
        return None
    status = file.stat()
    return status.st_size, status.st_mtime_ns
