"""A model that is set up for a run, as the sampler uses it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model ready to draw.

    Args:
        vae_scale: pixels to a latent, along a side.
        switch_seconds: what loading, fusing or switching to it has just cost.
        warning: a sentence about what of its weights is not applied, or nothing.
        base: gives the base's UNet within its context; an adapter that is on it is off there.
    """

    unet: UNet2DConditionModel
    vae: Any
    vae_scale: int
    scheduler: Any
    device: torch.device
    dtype: torch.dtype
    switch_seconds: float
    base: Callable[[], AbstractContextManager[UNet2DConditionModel]]
    warning: str = ""
