"""Inputs of a UNet besides latents and time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def unet_conditioning(hidden: Tensor, pooled: Tensor | None, height: int, width: int | None = None) -> dict[str, Any]:
    """Keyword arguments for a UNet of SDXL's shape, or without `pooled` of SD1.5's.

    Args:
        hidden: the sequence that it attends to, `(B, tokens, channels)`.
        pooled: the pooled text `(B, channels)`; with it go SDXL's time ids: original size, crop, target size.
        height: of the pictures in pixels, which were never cropped or scaled.
        width: of them, if they are not square.
    """
    conditioning: dict[str, Any] = {"encoder_hidden_states": hidden}
    if pooled is not None:
        sides = [height, height if width is None else width]
        sizes = torch.tensor([*sides, 0, 0, *sides], dtype=pooled.dtype, device=pooled.device)
        conditioning["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": sizes.expand(len(pooled), -1)}
    return conditioning
