"""The processes of a run: those that `torchrun` started, or one."""

from __future__ import annotations

import torch
from accelerate import PartialState


def joined_processes() -> PartialState:
    """The state of this run's processes, connected with each other.

    Without an accelerator, accelerate connects processes only with `cpu=True`; otherwise each would train alone.
    """
    return PartialState(cpu=not torch.accelerator.is_available())
