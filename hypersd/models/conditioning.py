"""Inputs of a UNet besides latents and time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def unet_conditioning(hidden: Tensor, pooled: Tensor | None, pixels: int) -> dict[str, Any]:
    """Keyword arguments for a UNet of SDXL's shape, or without `pooled` of SD1.5's.

    Args:
        hidden: the sequence that it attends to, `(B, tokens, channels)`.
        pooled: the pooled text `(B, channels)`; with it go SDXL's time ids: original size, crop, target size.
        pixels: the side of the pictures, which were never cropped or scaled.
    """
    conditioning: dict[str, Any] = {"encoder_hidden_states": hidden}
    if pooled is not None:
        sizes = torch.tensor([pixels, pixels, 0, 0, pixels, pixels], dtype=pooled.dtype, device=pooled.device)
        conditioning["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": sizes.expand(len(pooled), -1)}
    return conditioning
