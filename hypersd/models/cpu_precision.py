"""Precision of a family on a CPU: float32, or bfloat16 for large models where a short probe finds it faster."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch.nn import functional as F

from hypersd.models.machine import Machine
from hypersd.models.registry import is_large
from hypersd.models.specs import Family

_REPEATS = 3


def compute_dtype(family: Family, machine: Machine) -> torch.dtype:
    """The precision in which a family is loaded and computed on a machine.

    A large family on a CPU comes in bfloat16 if the processor is faster in it, or if its float32 weights would not fit
    into memory. Small ones stay in float32, where their pictures are the same on every machine.
    """
    usual: torch.dtype = getattr(torch, machine.precision)
    if machine.device != "cpu" or not machine.bfloat16 or not is_large(family, machine):
        return usual
    return torch.bfloat16 if 2 * family.memory_gb > machine.memory_gb or bfloat16_is_faster() else usual


@cache
def bfloat16_is_faster() -> bool:
    """True if this processor takes less time for a convolution of SD1.5's in bfloat16 than in float32.

    Flags of the processor do not tell: some convert to float32 and back. The probe takes about a second, once.
    """
    return _seconds(torch.bfloat16) < _seconds(torch.float32)


@torch.inference_mode()
def _seconds(dtype: torch.dtype) -> float:
    """Least time of a 3 × 3 convolution of 320 channels at 64 × 64, over some repetitions."""
    features = torch.zeros(1, 320, 64, 64, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.zeros(320, 320, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
    F.conv2d(features, weight, padding=1)  # the first call chooses and compiles a kernel
    times: list[float] = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        F.conv2d(features, weight, padding=1)
        times.append(time.perf_counter() - start)
    return min(times)
