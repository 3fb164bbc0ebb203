"""Precision and speed of a large family on a CPU, by a short probe: bfloat16 where it is faster than float32."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch.nn import functional as F

from hypersd.models.machine import Machine
from hypersd.models.registry import is_halved, is_large, largest_gb
from hypersd.models.specs import Family

_REPEATS = 3


def compute_dtype(family: Family, machine: Machine) -> torch.dtype:
    """The precision in which a family is loaded and computed on a machine.

    A large family on a CPU comes in bfloat16 if the processor is faster in it, or if the float32 weights of one of its
    models would not fit into memory. Small ones stay in float32, where their pictures are the same on every machine.
    """
    usual: torch.dtype = getattr(torch, machine.precision)
    if machine.device != "cpu" or not machine.bfloat16 or not is_large(family, machine):
        return usual
    halved = is_halved(largest_gb(family, machine), machine)
    return torch.bfloat16 if halved or bfloat16_is_faster() else usual


def bfloat16_is_faster() -> bool:
    """True if this processor takes less time for a convolution of SD1.5's in bfloat16 than in float32.

    Flags of the processor do not tell: some convert to float32 and back.
    """
    return convolution_speed(torch.bfloat16) > convolution_speed(torch.float32)


@cache
@torch.inference_mode()
def convolution_speed(dtype: torch.dtype) -> float:
    """10¹² operations a second of a 3 × 3 convolution of SD1.5's on this processor.

    The probe takes the best of some repetitions, less than a second in all, once in a process.
    """
    channels, side = 320, 64
    features = torch.zeros(1, channels, side, side, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.zeros(channels, channels, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
    F.conv2d(features, weight, padding=1)  # the first call chooses and compiles a kernel
    times: list[float] = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        F.conv2d(features, weight, padding=1)
        times.append(time.perf_counter() - start)
    return 2 * 9 * channels**2 * side**2 / min(times) / 1e12
