"""Discriminators that read latents with a diffusion model's own features (SDXL-Lightning, section 3.2)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.unets.unet_2d_blocks import CrossAttnDownBlock2D
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from hypersd.training.objective import StepContext
from hypersd.training.schedule import NoiseSchedule

DISCRIMINATOR_TIMES = (10, 250, 500, 750)
"""Times to which real and generated latents are noised for the discriminator (SDXL-Lightning, section 3.6)."""


def noised_for_discriminator(
    end: Tensor, end_times: Tensor, schedule: NoiseSchedule, step: StepContext
) -> tuple[Tensor, Tensor]:
    """Diffuse ends of jumps `(B, C, H, W)` on to random later times, where few-step distributions overlap.

    Returns:
        The noised ends, and their times `(B,)`.
    """
    choices = torch.tensor(DISCRIMINATOR_TIMES, device=step.device)
    drawn = step.integers(0, len(choices), len(end_times))
    later = torch.maximum(choices[drawn], end_times)
    noise = step.normal(end.shape)
    return schedule.renoise(end, noise, end_times, later), later


class LatentDiscriminator(nn.Module):
    """A trainable copy of the base model's encoder and mid-block, with a convolutional head on its features.

    Conditional, D(x_t, x_s, t, s, c), it reads the start and the end of a jump; unconditional, D(x_s, s, c), only the
    end, which removes conjoined shapes ("Janus" artifacts).
    """

    def __init__(self, unet: UNet2DConditionModel, *, conditional: bool) -> None:
        super().__init__()
        self.conditional = conditional
        backbone: Any = copy.deepcopy(unet)
        backbone.up_blocks = nn.ModuleList()
        backbone.conv_norm_out, backbone.conv_out = None, nn.Identity()
        self.backbone = backbone.requires_grad_(True)
        width = unet.config["block_out_channels"][-1]
        layers: list[nn.Module] = []
        channels = width * (2 if conditional else 1)
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.GroupNorm(32, width), nn.SiLU()]
            channels = width
        self.head = nn.Sequential(*layers, nn.Conv2d(width, 1, 1))

    def forward(
        self, end: Tensor, end_times: Tensor, conditioning: Mapping[str, Any], start: Tensor, start_times: Tensor
    ) -> Tensor:
        """Logits: high if a jump looks like the teacher's. `start` is ignored if unconditional.

        Args:
            end: of B jumps, or several ends of the same B jumps, one after the other, `(n·B, C, H, W)`; the starts are
                then read only once.
            end_times: `(n·B,)`.
            conditioning: of the B jumps.
            start: `(B, C, H, W)`.
            start_times: `(B,)`.

        Returns:
            `(n·B,)`.
        """
        turns = len(end) // len(start)
        seen = self.features(end, end_times, tree_map_only(Tensor, partial(_repeated, turns=turns), dict(conditioning)))
        if self.conditional:
            # A student needs the gradient only through its ends, which then have one.
            with torch.set_grad_enabled(torch.is_grad_enabled() and not end.requires_grad):
                begun = self.features(start, start_times, conditioning)
            seen = torch.cat([seen, _repeated(begun, turns)], dim=1)
        return self.head(seen).float().mean(dim=(1, 2, 3))

    def features(self, latents: Tensor, times: Tensor, conditioning: Mapping[str, Any]) -> Tensor:
        """Features of the mid-block."""
        unet = self.backbone
        text = conditioning["encoder_hidden_states"]
        emb = unet.time_embedding(unet.get_time_embed(latents, times))
        if "added_cond_kwargs" in conditioning:  # SDXL's shape; SD1.5's UNet has no added conditioning
            emb = emb + unet.get_aug_embed(emb, text, conditioning["added_cond_kwargs"])
        hidden = unet.conv_in(latents)
        for block in unet.down_blocks:
            arguments = {"encoder_hidden_states": text} if isinstance(block, CrossAttnDownBlock2D) else {}
            hidden, _ = block(hidden_states=hidden, temb=emb, **arguments)
        return unet.mid_block(hidden, emb, encoder_hidden_states=text)


def _repeated(rows: Tensor, turns: int) -> Tensor:
    """The rows several times, one whole after the other."""
    return torch.cat([rows] * turns) if turns > 1 else rows
