"""Files that are computed once by all processes of a run, and reused by later runs.

The folder has a record of their source, so that files of other data are never reused. Each file is written atomically:
a killed run continues with the first missing file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypersd.training.processes import joined_processes
from hypersd.training.records import hash_text
from hypersd.utils.files import write_json
from hypersd.utils.readers import read_object

MANIFEST = "made-from.json"

Source = Mapping[str, Any]
"""Source of the files: fingerprints and numbers by name, as JSON values."""


def make_files(
    folder: Path, names: Sequence[str], make: Callable[[Sequence[int]], None], *, source: Source, label: str
) -> None:
    """Create the missing files of a folder, each process its share; all exist when this returns.

    Every process of the run calls it with the same arguments, on a shared disk.

    Args:
        folder: of the files.
        names: of the files.
        make: writes the files with these numbers atomically.
        source: everything that determines the content: a folder of another source is an error.
        label: name of the content for errors: "latents".

    Raises:
        ValueError: the folder has files of another source; the message names the first difference.
        OSError: a file cannot be written.
    """
    state, record = joined_processes(), folder / MANIFEST
    if record.exists():
        _compare(record, json.loads(json.dumps(dict(source))), label)
    elif state.is_main_process:
        write_json(record, dict(source))
    missing = [number for number, name in enumerate(names) if not (folder / name).exists()]
    state.wait_for_everyone()  # no process writes before all have listed the missing files
    make(missing[state.process_index :: state.num_processes])
    state.wait_for_everyone()
    if lost := [name for name in names if not (folder / name).exists()]:
        raise FileNotFoundError(f"{folder / lost[0]} is missing: all processes must share the disk that it is on")


def source_hash(source: Source) -> str:
    """A hash of a source: equal sources give equal files."""
    return hash_text(json.dumps(dict(source), sort_keys=True))


def _compare(record: Path, source: Source, label: str) -> None:
    before = read_object(record, f"the record of {label}")
    for name in [*source, *(name for name in before if name not in source)]:
        if before.get(name) != source.get(name):
            raise ValueError(
                f"{record.parent} holds {label} of other data: their {name} is {json.dumps(before.get(name))}, and now "
                f"it is {json.dumps(source.get(name))}; delete {record.parent} to create them again"
            )
