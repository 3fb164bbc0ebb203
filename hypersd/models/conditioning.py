"""Inputs of a UNet besides latents and time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def unet_conditioning(
    hidden: Tensor, pooled: Tensor | None, height: int, width: int | None = None, *, sizes: Tensor | None = None
) -> dict[str, Any]:
    """Keyword arguments for a UNet of SDXL's shape, or without `pooled` of SD1.5's.

    Args:
        hidden: the sequence that it attends to, `(B, tokens, channels)`.
        pooled: the pooled text `(B, channels)`; with it go SDXL's time ids: original size, crop, target size (Podell
            et al. 2023, section 2.2).
        height: of the pictures in pixels.
        width: of them, if they are not square.
        sizes: of each picture, its original height and width, and top and left of its crop, `(B, 4)`; None if they
            were never scaled or cropped.
    """
    conditioning: dict[str, Any] = {"encoder_hidden_states": hidden}
    if pooled is not None:
        sides = [height, height if width is None else width]
        originals = torch.tensor([[*sides, 0, 0]]) if sizes is None else sizes
        target = torch.tensor([sides]).expand(len(originals), -1).to(originals.device)
        times = torch.cat([originals, target], dim=1).to(pooled.device, pooled.dtype)
        conditioning["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": times.expand(len(pooled), -1)}
    return conditioning
