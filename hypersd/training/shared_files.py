"""Files that are computed once for all processes of a run, and found there by later runs.

A folder of them has a record of what they were computed from, so that those of other data are not taken for these. Each
file is there whole or not at all: whoever is killed goes on with the first one that is missing.
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
"""Facts that files are computed from: fingerprints and numbers by name, as JSON values."""


def make_files(
    folder: Path, names: Sequence[str], make: Callable[[Sequence[int]], None], *, source: Source, label: str
) -> None:
    """Make those files that are missing in a folder, this process its share; all are there when it returns.

    Every process of the run calls it with the same arguments, and sees the same disk.

    Args:
        folder: where they go.
        names: of the files.
        make: writes the files of these numbers, each whole or not at all.
        source: all that decides what is in them: a folder of another source is refused.
        label: what they hold, for complaints: "latents".

    Raises:
        ValueError: the folder holds files of another source; the message names the first difference.
        OSError: a file cannot be written.
    """
    state, record = joined_processes(), folder / MANIFEST
    if record.exists():
        _compare(record, json.loads(json.dumps(dict(source))), label)
    elif state.is_main_process:
        write_json(record, dict(source))
    missing = [number for number, name in enumerate(names) if not (folder / name).exists()]
    state.wait_for_everyone()  # nobody writes before all have seen which are missing
    make(missing[state.process_index :: state.num_processes])
    state.wait_for_everyone()
    if lost := [name for name in names if not (folder / name).exists()]:
        raise FileNotFoundError(f"{folder / lost[0]} is missing: all processes must share the disk that it is on")


def source_hash(source: Source) -> str:
    """A hash of a source: the same files come from the same source."""
    return hash_text(json.dumps(dict(source), sort_keys=True))


def _compare(record: Path, source: Source, label: str) -> None:
    before = read_object(record, f"the record of {label}")
    for name in [*source, *(name for name in before if name not in source)]:
        if before.get(name) != source.get(name):
            raise ValueError(
                f"{record.parent} holds {label} of other data: their {name} is {json.dumps(before.get(name))}, and now "
                f"it is {json.dumps(source.get(name))}; delete {record.parent} to have them made anew"
            )
