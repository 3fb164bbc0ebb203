"""The processes of a run: those that `torchrun` started, or one."""

from __future__ import annotations

import torch
from accelerate import PartialState


def joined_processes() -> PartialState:
    """The state of this run's processes, joined with the others.

    Without an accelerator accelerate joins processes only if it is told to use the CPU; each would train alone.
    """
    return PartialState(cpu=not torch.accelerator.is_available())
