"""Files that are there whole or not at all: written under another name, then moved to their place.

Everything in the package and the page writes through this module (`tests/test_house.py` looks for writers that do not).
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

UNFINISHED = ".unfinished-"
"""Beginning of the name of the folder in which a file is written. Only a process that is killed leaves one behind."""


@contextmanager
def atomic_path(file: Path, *, durable: bool = False) -> Generator[Path]:
    """Yield a path of the same name to write to; it replaces `file` when the block ends, and is removed if it fails.

    Readers see the file that was there before, or the new one, and never a part. Its folder is made.

    Args:
        file: where it goes; a link is followed.
        durable: survive a power failure right after the block, too: a checkpoint or a vote depends on the file.

    Raises:
        OSError: it cannot be written; the error names `file`.
    """
    target = Path(os.path.realpath(file))
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {file}: it is a folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _workspace(target.parent) as folder:
        part = folder / target.name
        yield part
        if durable:
            _sync(part)
        part.replace(target)
    if durable and os.name != "nt":  # Windows opens no folders
        _sync(target.parent)


@contextmanager
def atomic_folder(folder: Path) -> Generator[Path]:
    """Yield an empty folder to write to; when the block ends, its files replace those of the same names in `folder`.

    Each file is whole, and none appears before all are written. Other files in `folder` stay.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(os.path.realpath(folder))
    target.mkdir(parents=True, exist_ok=True)
    with _workspace(target) as part:
        yield part
        for file in sorted(path for path in part.rglob("*") if path.is_file()):
            place = target / file.relative_to(part)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)


def write_text(file: Path, text: str, *, durable: bool = False) -> None:
    """Write UTF-8 text, as it is (no line ending is changed).

    Raises:
        OSError: it cannot be written.
    """
    with atomic_path(file, durable=durable) as part:
        part.write_bytes(text.encode("utf-8"))


def finite(document: Any) -> Any:
    """A document for JSON, with null for each number that is none (NaN, infinite): JSON has no word for those."""
    if isinstance(document, dict):
        entries = cast("dict[str, Any]", document)
        return {key: finite(value) for key, value in entries.items()}
    if isinstance(document, list | tuple):
        return [finite(value) for value in cast("Sequence[Any]", document)]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def write_json(file: Path, document: Any) -> None:
    """Write JSON; it survives a power failure, since trainings and rounds go on from such files.

    Raises:
        OSError: it cannot be written.
    """
    write_text(file, json.dumps(document, indent=1) + "\n", durable=True)


def json_text(document: object) -> str:
    """A JSON document to be read; in ASCII, so that no terminal or locale can spoil it.

    Raises:
        ValueError: a number in it is none (see `finite`).
    """
    return json.dumps(document, indent=2, allow_nan=False)


def write_document(file: Path, document: object) -> None:
    """Write a JSON document to be read: a result, that is made again if a power failure takes it.

    Raises:
        OSError: it cannot be written.
        ValueError: a number in it is none.
    """
    write_text(file, json_text(document) + "\n")


@contextmanager
def _workspace(folder: Path) -> Generator[Path]:
    """A new folder in `folder`, so that moving a file out of it is one step; removed at the end."""
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _sync(path: Path) -> None:
    """Wait until the disk has it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
