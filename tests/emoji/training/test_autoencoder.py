"""The autoencoder's start, and what the shipped one reaches."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor

from hypersd.emoji.training.autoencoder import (
    build_autoencoder,
    principal_components,
    start_as_principal_components,
    to_tensor,
)
from hypersd.emoji.world import World, render, sample_scene
from hypersd.models.families.embedded import FOLDER


def scenes(world: World, count: int) -> Tensor:
    drawn = [sample_scene(world, np.random.default_rng((77, index))) for index in range(count)]
    return to_tensor([render(world, scene) for scene in drawn])


@torch.no_grad()
def test_the_encoder_starts_as_the_principal_component_transform() -> None:
    world = World.load(FOLDER)
    torch.manual_seed(0)
    autoencoder = build_autoencoder()
    start_as_principal_components(autoencoder, world)
    pictures = scenes(world, 4)
    components, mean = principal_components(world)
    shift = (components * mean).sum(dim=(1, 2, 3)).view(1, -1, 1, 1)
    expected = F.conv2d((pictures + 1) / 2, components, stride=8) - shift
    torch.testing.assert_close(autoencoder.encode(pictures).latents, expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_the_shipped_autoencoder_reconstructs_at_thirty_decibels() -> None:
    autoencoder = AutoencoderTiny.from_pretrained(FOLDER / "vae", dtype=torch.float32)
    pictures = scenes(World.load(FOLDER), 32)
    drawn = autoencoder.decode(autoencoder.encode(pictures).latents).sample.clamp(-1, 1)
    error = (drawn - pictures).square().mean()
    assert (-10 * torch.log10(error / 4)).item() >= 30
