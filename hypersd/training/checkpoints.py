"""Training states on disk: safetensors and JSON, written so that a crash never leaves half a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hypersd.training.objective import Objective
from hypersd.training.optimization import Optimization
from hypersd.training.states import NUMBERS, STATE, check_state
from hypersd.utils.files import atomic_path, write_json

log = logging.getLogger(__name__)

TENSORS = "state.safetensors"


class Checkpoint:
    """The checkpoint of a run, in `out/state`.

    Attributes:
        number: the step of the checkpoint on disk; 0 if there is none.
    """

    def __init__(self, out: Path, objective: Objective[Any], moving: Optimization) -> None:
        self.out, self.objective, self.moving = out, objective, moving
        self.number = 0

    @staticmethod
    def exists(out: Path) -> bool:
        """True if the folder `out` of a run has a checkpoint."""
        return (out / STATE / NUMBERS).exists()

    def _tensors(self) -> dict[str, Tensor]:
        return {f"extra.{name}": value for name, value in self.objective.state().items()} | self.moving.tensors()

    def broken(self) -> str:
        """The name of a weight or an average that is not finite, or of another tensor with NaN; empty if there is none.

        A method's state may be infinite (such as an initial best loss); a weight may not.
        """
        bad = {name: ~value.isfinite().all() for name, value in self.moving.tensors().items()}
        bad |= {name: value.isnan().any() for name, value in self.objective.state().items()}
        return next((name for name, broken in bad.items() if broken), "")

    def save(self, number: int, *, seed: int, stopped: str = "") -> None:
        """Write the state after `number` steps; `stopped` is the reason if the objective ended the training there.

        Raises:
            OSError: it cannot be written; the previous checkpoint is unchanged.
        """
        tensors = self._tensors()
        for name, optimizer in self.moving.optimizers.items():
            tensors |= optimizer_tensors(optimizer, f"optimizer.{name}")
        numbers = {"step": number, "seed": seed, "stopped": stopped, "scales": self.moving.scales()}
        save_state(self.out / STATE, tensors, numbers)
        self.number = number

    def load(self) -> tuple[int, str]:
        """Load the state, if there is one, into the objective and the optimisers.

        Returns:
            The number of steps done, and the reason if the objective ended the training.

        Raises:
            ValueError: the state is damaged, or from another training.
        """
        state = load_state(self.out / STATE)
        if state is None:
            return 0, ""
        tensors, numbers = state
        mine = self._tensors()
        if missing := sorted(name for name in mine if name not in tensors or tensors[name].shape != mine[name].shape):
            raise ValueError(f"the checkpoint in {self.out} is of another training ({missing[0]} does not fit)")
        with torch.no_grad():
            for name, value in mine.items():
                value.copy_(tensors[name])
        try:
            for name, optimizer in self.moving.optimizers.items():
                restore_optimizer(optimizer, tensors, f"optimizer.{name}")
        except ValueError as error:
            raise ValueError(f"the checkpoint in {self.out} is of another training ({error})") from error
        self.moving.restore_scales(numbers.get("scales", {}))
        self.number = int(numbers["step"])
        log.info("resumed %s at step %d", self.out, self.number)
        return self.number, str(numbers.get("stopped", ""))


def save_state(folder: Path, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Write a training state into `folder`, replacing the previous one.

    The numbers contain the name of their tensor file and are renamed into place last, so a reader sees either the old
    state or the new one.
    """
    name = f"step-{numbers['step']}.{TENSORS}"
    with atomic_path(folder / name, durable=True) as part:
        save_file({key: value.detach().contiguous() for key, value in tensors.items()}, part)
    write_json(folder / NUMBERS, {**numbers, "tensors": name})
    for old in folder.glob(f"*.{TENSORS}*"):
        if old.name != name:
            old.unlink()


def load_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read the state in `folder`; None if there is none.

    Raises:
        ValueError: one of its files is damaged or missing; the message names it.
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
    """Inverse of `optimizer_tensors`: restore the state of an optimiser over the same parameters.

    Raises:
        ValueError: the state belongs to other parameters.
    """
    shapes = [parameter.shape for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(f"{prefix}."):
            index, _, name = key.removeprefix(f"{prefix}.").partition(".")
            place = int(index) if index.isdigit() else len(shapes)
            if place >= len(shapes) or (value.dim() and value.shape != shapes[place]):
                raise ValueError(f"{key} does not fit")
            state.setdefault(place, {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
