"""The record of a run: its whole configuration, the package's version and a hash of its data, in `run.json`.

Resuming a run with another configuration would mix two runs, so it raises an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypersd import __version__
from hypersd.utils.files import write_json
from hypersd.utils.readers import read_object

RECORD = "run.json"
_CHUNK = 1 << 20


def open_record(folder: Path, configuration: Mapping[str, Any], *, trained: bool, main: bool = True) -> None:
    """Write the record of a new run, or compare it with the record of a resumed run.

    Args:
        folder: of the run.
        configuration: everything that determines the result, as JSON values.
        trained: whether the folder already has a checkpoint.
        main: whether this process writes files.

    Raises:
        ValueError: the run was begun with another configuration, and the message names the first difference; or its
            record is damaged or missing.
        OSError: the record cannot be written.
    """
    file = folder / RECORD
    now = {"version": __version__, **configuration}
    if file.exists():
        _compare(folder, read_record(file), now)
    elif trained:
        raise ValueError(
            f"{folder} holds a training without {RECORD}, so nothing tells with which settings it was begun; "
            "train in another folder"
        )
    elif main:
        write_json(file, now)


def read_record(file: Path) -> Mapping[str, Any]:
    """The record in a file.

    Raises:
        ValueError: it is damaged, or something else.
        OSError: it cannot be read.
    """
    try:
        return read_object(file, "the record of a training", "version")
    except ValueError as error:
        raise ValueError(f"{error}; train in another folder") from error


def _compare(folder: Path, kept: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    # Converted through JSON, so that a tuple equals the list that is read back.
    before, after = dict(_flat(kept)), dict(_flat(json.loads(json.dumps(now))))
    for name in [*after, *(name for name in before if name not in after)]:
        if before.get(name) != after.get(name):
            raise ValueError(
                f"the training in {folder} was begun with {name} {json.dumps(before.get(name))}, not "
                f"{json.dumps(after.get(name))}; resume it with the former, or train in another folder"
            )


def hash_file(file: Path) -> str:
    """The beginning of a file's SHA-256, read in pieces.

    Raises:
        OSError: it cannot be read.
    """
    digest = sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()[:16]


def hash_folder(folder: Path) -> str:
    """The beginning of the SHA-256 of the weights and configurations below a folder, with their names.

    Raises:
        OSError: one cannot be read.
    """
    digest = sha256()
    for file in sorted(file for kind in ("safetensors", "json") for file in folder.rglob(f"*.{kind}")):
        digest.update(f"{file.relative_to(folder)}={hash_file(file)};".encode())
    return digest.hexdigest()[:16]


def hash_text(*parts: str) -> str:
    """The beginning of the SHA-256 of some texts."""
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested dictionaries, under dotted names."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
