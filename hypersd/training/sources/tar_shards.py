"""WebDataset shards: tar archives in which files with the same name and different extensions form an example.

Opening reads only the headers; pictures are read in place, so no shard is unpacked or copied.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from hypersd.training.sources.picture_source import (
    PICTURE_ENDINGS,
    PictureFile,
    caption_in,
    caption_texts,
    plain_text,
)
from hypersd.utils.errors import gist
from hypersd.utils.file_kinds import check_file, misread

ENDING = ".tar"
_WANTED = "a tar archive"
_TEXTS = ("txt", "text", "caption")
_JSON = "json"
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")

Span = tuple[int, int]
"""Position of a file in an archive: offset and size in bytes."""


@dataclass(slots=True)
class ShardEntry:
    """An example: its archive, its name, and the positions of its files."""

    shard: Path
    key: str
    files: dict[str, Span] = field(default_factory=dict[str, Span])

    def span(self, endings: Sequence[str] | frozenset[str]) -> tuple[str, Span] | None:
        """The first file with one of the extensions, and its extension."""
        return next(((ending, span) for ending, span in self.files.items() if ending in endings), None)

    def read(self, span: Span) -> bytes:
        """The content of one of its files.

        Raises:
            OSError: it cannot be read.
        """
        with self.shard.open("rb") as file:
            file.seek(span[0])
            return file.read(span[1])


@dataclass(frozen=True)
class TarShards:
    """The examples of some shards (see `PictureSource`)."""

    shards: tuple[Path, ...]
    entries: tuple[ShardEntry, ...]
    column: str | None = None

    @classmethod
    def open(cls, shards: Sequence[Path], column: str | None = None) -> TarShards:
        """List the examples of shards, in order.

        Args:
            shards: the archives.
            column: key of the captions in the examples' JSON files, for examples without a text file; None for the
                most likely one.

        Raises:
            ValueError: a shard is damaged, compressed, or not an archive; or no shard has a picture.
            OSError: one cannot be read.
        """
        entries = tuple(entry for shard in shards for entry in _entries(shard))
        if not any(entry.span(PICTURE_ENDINGS) for entry in entries):
            raise ValueError(f"{shards[0]}{' and the other shards' if len(shards) > 1 else ''} hold no pictures")
        return cls(tuple(shards), entries, column)

    @property
    def fingerprint(self) -> str:
        """A hash of the names, sizes and times of the shards."""
        digest = sha256(repr(self.column).encode())
        for shard in self.shards:
            status = shard.stat()
            digest.update(f"{shard.name}={status.st_size},{status.st_mtime_ns};".encode())
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, index: int) -> str:
        """Archive and name of an example."""
        return f"{self.entries[index].shard}:{self.entries[index].key}"

    def picture(self, index: int) -> PictureFile:
        """Content of an example's picture.

        Raises:
            ValueError: it has none.
            OSError: the shard cannot be read.
        """
        entry = self.entries[index]
        if (picture := entry.span(PICTURE_ENDINGS)) is None:
            raise ValueError("no picture")
        return entry.read(picture[1])

    def captions(self, index: int) -> list[str]:
        """The captions of an example: its text file, or those in its JSON file.

        Raises:
            ValueError: it has none, or they are no texts.
            OSError: the shard cannot be read.
        """
        entry = self.entries[index]
        kinds = (_JSON,) if self.column else (*_TEXTS, _JSON)
        if (file := next((file for kind in kinds if (file := entry.span((kind,)))), None)) is None:
            return caption_texts(None)
        text = plain_text(entry.read(file[1]))
        if file[0] != _JSON:
            return caption_texts(text)
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ValueError("its JSON is damaged") from error
        if isinstance(values, dict):
            return caption_in(values, self.column)
        raise ValueError("its JSON is no object")


def expand_braces(pattern: str) -> list[str]:
    """Names that a pattern stands for, as a shell expands it: `s-{000..002}.tar`, `s-{a,b}.tar`."""
    if (braces := _BRACES.search(pattern)) is None:
        return [pattern]
    if bounds := _RANGE.fullmatch(braces[1]):
        low, high = bounds.groups()
        width = max(len(low), len(high)) if low.startswith("0") or high.startswith("0") else 0
        choices = [f"{number:0{width}d}" for number in range(int(low), int(high) + 1)]
    else:
        choices = braces[1].split(",")
    names = (pattern[: braces.start()] + choice + pattern[braces.end() :] for choice in choices)
    return [name for each in names for name in expand_braces(each)]


def _entries(shard: Path) -> Iterator[ShardEntry]:
    """The examples of an archive: consecutive files with the same name."""
    check_file(shard, _WANTED)
    entry = ShardEntry(shard, "")
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                folder, slash, name = member.name.rpartition("/")
                stem, dot, ending = name.partition(".")
                if not (member.isfile() and stem and dot):
                    continue
                if (key := f"{folder}{slash}{stem}") != entry.key:
                    if entry.files:
                        yield entry
                    entry = ShardEntry(shard, key)
                entry.files[ending.lower()] = (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise misread(shard, _WANTED, gist(error)) from error
    if entry.files:
        yield entry
