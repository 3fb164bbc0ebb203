"""Memory that weights take, and if copies of a UNet fit beside the base."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch


def plan(budget_bytes: int, base_bytes: int, count: int) -> Literal["fused", "shared"]:
    """Decide if `count` fused copies of a UNet of `base_bytes` fit into the budget beside the base."""
    return "fused" if base_bytes * (count + 1) <= budget_bytes else "shared"


def weight_bytes(module: torch.nn.Module) -> int:
    """Bytes that a module's parameters and buffers take."""
    return held_bytes([module])


def held_bytes(modules: Iterable[torch.nn.Module]) -> int:
    """Bytes that several modules' parameters and buffers take together; what they share is counted once."""
    tensors = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
    return sum({(tensor.data_ptr(), tensor.nbytes): tensor.nbytes for tensor in tensors}.values())
