"""Control in the denoising loop: the residuals that a ControlNet adds to the UNet's features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ControlNetModel
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor


@dataclass(frozen=True, eq=False)
class LoadedControl:
    """A ControlNet with the image that it reads.

    Args:
        controlnet: on the UNet's device.
        image: `(1, 3, H, W)` in [0, 1], of the picture's size.
        scale: factor of the residuals.
    """

    controlnet: ControlNetModel
    image: Tensor
    scale: float

    def residuals(self, latents: Tensor, timestep: Tensor, cond: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments for the UNet's call on the same latents `(B, C, H, W)`, time and conditioning."""
        down, middle = self.controlnet(
            latents,
            timestep,
            **cond,
            controlnet_cond=self.image.expand(len(latents), -1, -1, -1),
            conditioning_scale=self.scale,
            return_dict=False,
        )
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def control_tensor(image: Image.Image, width: int, height: int, like: Tensor) -> Tensor:
    """A control image as a ControlNet reads it, `(1, 3, height, width)` in [0, 1], on a tensor's device, in its type.

    It is scaled as diffusers' pipelines scale theirs.
    """
    sized = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    return (pil_to_tensor(sized)[None].to(torch.float32) / 255).to(like)
