"""A model that is set up for a run, as the sampler uses it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from hypersd.models.compiled_unet import AnyUNet
from hypersd.utils.environment import Backend


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model ready to draw.

    Args:
        vae_scale: pixels to a latent, along a side.
        switch_seconds: what loading, fusing or switching to it has just cost.
        warning: sentences about what of its weights is not applied, or the backend that does not run it; or nothing.
        base: gives the base's UNet within its context; an adapter that is on it is off there.
        backend: library that runs the UNet.
    """

    unet: AnyUNet
    vae: Any
    vae_scale: int
    scheduler: Any
    device: torch.device
    dtype: torch.dtype
    switch_seconds: float
    base: Callable[[], AbstractContextManager[AnyUNet]]
    warning: str = ""
    backend: Backend = "torch"
