"""Training states on disk, looked over without loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypersd.errors import gist
from hypersd.readers import read_object, tensor_shapes

NUMBERS = "state.json"


def check_state(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The file of tensors and the numbers of the state in a folder; None if there is no state.

    Raises:
        ValueError: the state's JSON, or the tensor file that it names, is damaged or missing.
    """
    file = folder / NUMBERS
    if not file.exists():
        return None
    try:
        numbers = dict(read_object(file, "the state of a training", "tensors", "step"))
        tensors = folder / str(numbers.pop("tensors"))
        tensor_shapes(tensors)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{gist(error)}; delete {folder} to start over") from error
    return tensors, numbers


def check_states(out: Path) -> None:
    """See that every state below a training's folder can be read.

    Raises:
        ValueError: one cannot; the message names the file.
    """
    for file in sorted(out.rglob(f"state/{NUMBERS}")):
        check_state(file.parent)
