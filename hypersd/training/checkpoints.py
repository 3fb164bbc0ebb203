"""Training states on disk: safetensors and JSON, written so that a crash never leaves half a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hypersd.files import write_json
from hypersd.training.states import NUMBERS, check_state

TENSORS = "state.safetensors"


def save_state(folder: Path, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Write a training state into `folder`, replacing the one before it.

    The numbers carry the name of the tensor file they belong to and are renamed into place last, so whoever reads
    the folder sees either the old state or the new one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{numbers['step']}.{TENSORS}"
    save_file({key: value.detach().contiguous() for key, value in tensors.items()}, folder / f"{name}.part")
    (folder / f"{name}.part").replace(folder / name)
    write_json(folder / NUMBERS, {**numbers, "tensors": name})
    for old in folder.glob(f"*.{TENSORS}"):
        if old.name != name:
            old.unlink()


def load_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read the state in `folder`; None if there is none.

    Raises:
        ValueError: the state's JSON, or the tensor file that it names, is damaged or missing.
    """
    state = check_state(folder)
    if state is None:
        return None
    file, numbers = state
    return load_file(file), numbers


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """An optimiser's per-parameter state under flat keys `prefix.INDEX.NAME`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}.{index}.{name}": torch.as_tensor(value)
        for index, slots in state.items()
        for name, value in slots.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Undo `optimizer_tensors`: put the state back into an optimiser over the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(f"{prefix}."):
            index, name = key.removeprefix(f"{prefix}.").split(".", 1)
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
