"""Checks of training states on disk, without loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypersd.training.records import RECORD, read_record
from hypersd.utils.errors import gist
from hypersd.utils.file_kinds import misread
from hypersd.utils.readers import read_object, tensor_shapes

STATE, NUMBERS = "state", "state.json"
_WANTED = "the state of a training"


def check_state(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The file of tensors and the numbers of the state in a folder; None if there is no state.

    Raises:
        ValueError: the state's JSON, or the tensor file that it names, is damaged or missing.
    """
    file = folder / NUMBERS
    if not file.exists():
        return None
    try:
        numbers = dict(read_object(file, _WANTED, "tensors", "step"))
        if not isinstance(numbers["step"], int):
            raise misread(file, _WANTED, "its step is no whole number")
        tensors = folder / Path(str(numbers.pop("tensors"))).name
        tensor_shapes(tensors)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{gist(error)}; delete {folder} to train this stage anew") from error
    return tensors, numbers


def check_states(out: Path) -> None:
    """Check that all states and records of runs in a training's folder can be read.

    Raises:
        ValueError: a file cannot be read; the message names it.
    """
    for file in sorted(out.rglob(f"{STATE}/{NUMBERS}")):
        check_state(file.parent)
        if (record := file.parents[1] / RECORD).exists():
            read_record(record)
