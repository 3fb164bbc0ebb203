"""Half precision, where a machine has arithmetic for it."""

from __future__ import annotations

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Tell if a device computes in bfloat16: an accelerator, or a CPU with AVX-512 BF16 or AMX.

    Other CPUs imitate it, and take many times as long as in float32.
    """
    if device.type != "cpu":
        return True
    features = (torch.cpu._is_avx512_bf16_supported, torch.cpu._is_amx_tile_supported)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return any(supported() for supported in features)


def half_precision(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """A context of bfloat16 autocast, if it is wanted and the device has it; else one that changes nothing.

    Autocast's cache of converted weights stays off: it does not notice that `swapped_adapter` has changed them, so a
    student would be computed with its teacher's weights.
    """
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=wanted and has_bfloat16(device), cache_enabled=False
    )
