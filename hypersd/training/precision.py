"""Half precision, if the device supports it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

Precision = Literal["bf16", "fp16", "no"]
"""Autocast's type: bfloat16 where the device has it, float16 with scaled losses, or none (float32)."""


def has_bfloat16(device: torch.device) -> bool:
    """True if a device computes in bfloat16: an accelerator, or a CPU with AVX-512 BF16 or AMX.

    Other CPUs emulate it many times slower than float32.
    """
    if device.type != "cpu":
        return True
    features = (torch.cpu._is_avx512_bf16_supported, torch.cpu._is_amx_tile_supported)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return any(supported() for supported in features)


def half_precision(device: torch.device, precision: Precision = "bf16") -> AbstractContextManager[Any]:
    """An autocast context: bfloat16 if the device supports it, float16 if requested, or no autocast.

    Autocast's cache of converted weights stays off: it does not notice that `swapped_adapter` has changed them, so a
    student would be computed with its teacher's weights.
    """
    wanted = precision == "fp16" or (precision == "bf16" and has_bfloat16(device))
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    if not torch.amp.is_autocast_available(device.type):  # the meta device computes nothing
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype, enabled=wanted, cache_enabled=False)
