"""Atomic files: written under another name, then moved to their place.

All writers of the package and the page use this module (`tests/test_house.py` checks it).
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
"""Prefix of the temporary folder in which a file is written. It remains only if the process is killed."""


@contextmanager
def atomic_path(file: Path, *, durable: bool = False) -> Generator[Path]:
    """Yield a path of the same name to write to; it replaces `file` when the block ends, and is removed if it fails.

    Readers see either the old file or the new one, never a part. The folder is created if necessary.

    Args:
        file: the target; a link is followed.
        durable: survive a power failure directly after the block: for checkpoints and votes.

    Raises:
        OSError: the file cannot be written; the error names `file`.
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
    if durable and os.name != "nt":  # Windows cannot open folders
        _sync(target.parent)


@contextmanager
def atomic_folder(folder: Path) -> Generator[Path]:
    """Yield an empty folder to write to; when the block ends, its files replace those of the same names in `folder`.

    Each file is complete, and none appears before all are written. Other files in `folder` stay.

    Raises:
        OSError: the folder cannot be written.
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
    """Write UTF-8 text without changing line endings.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_path(file, durable=durable) as part:
        part.write_bytes(text.encode("utf-8"))


def finite(document: Any) -> Any:
    """A document for JSON, with null instead of NaN and infinite numbers, which JSON cannot represent."""
    if isinstance(document, dict):
        entries = cast("dict[str, Any]", document)
        return {key: finite(value) for key, value in entries.items()}
    if isinstance(document, list | tuple):
        return [finite(value) for value in cast("Sequence[Any]", document)]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def write_json(file: Path, document: Any) -> None:
    """Write JSON durably, because trainings and rounds resume from such files.

    Raises:
        OSError: the file cannot be written.
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
    """A temporary folder inside `folder`, so that moving a file out of it is atomic; removed at the end."""
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
