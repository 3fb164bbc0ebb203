"""Stage 1 of the family: a norm-free autoencoder (diffusers' `AutoencoderTiny`), 128 px to 16 × 16 latents.

GroupNorm reproduces flat backgrounds badly, so there is none. The encoder is initialised with an exact
principal-component transform of 8 × 8 patches in its convolutions; then encoder and decoder are trained together. This
makes the latents regular (smooth, ordered from coarse to fine), which diffusion models need, above all few-step ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from PIL import Image
from torch import Tensor, nn

from hypersd.emoji.training.stages import LATENT_SHAPE
from hypersd.emoji.world import World, render, sample_scene
from hypersd.training.image_tensors import to_picture, to_tensor
from hypersd.training.objective import Objective, StepContext, TrainedNetwork

LATENT_CHANNELS = LATENT_SHAPE[0]
LATENT_NOISE = 0.03
CROP = 64
_SIDE = 128


def build_autoencoder() -> AutoencoderTiny:
    """An untrained autoencoder: 3 × 128 × 128 in [-1, 1] to `LATENT_CHANNELS` × 16 × 16 and back."""
    autoencoder = AutoencoderTiny(
        latent_channels=LATENT_CHANNELS,
        encoder_block_out_channels=(48, 48, 48, 48),
        decoder_block_out_channels=(64, 64, 64, 64),
        num_encoder_blocks=(0, 1, 2, 3),
        num_decoder_blocks=(3, 3, 1, 0),
    )
    for module in autoencoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in autoencoder.modules():
        if isinstance(module, AutoencoderTinyBlock):
            last: Any = module.conv[-1]
            nn.init.zeros_(last.weight)  # each block is initialised as the identity (Zhang et al. 2019, Fixup)
    for ends in (autoencoder.encoder, autoencoder.decoder):
        end: Any = ends.layers[-1]
        nn.init.xavier_normal_(end.weight)
    return autoencoder


def principal_components(world: World, scenes: int = 400) -> tuple[Tensor, Tensor]:
    """The first `LATENT_CHANNELS` principal components of 8 × 8 patches of random scenes, colours in [0, 1].

    Returns the components `(LATENT_CHANNELS, 3, 8, 8)`, scaled so that a component's standard deviation is the square
    root of its share of the first one's (half-way to whitening), and the patches' mean `(3, 8, 8)`.
    """
    rng = np.random.default_rng(0)
    pictures = (to_tensor([render(world, sample_scene(world, rng)) for _ in range(scenes)]) + 1) / 2
    patches = F.unfold(pictures, kernel_size=8, stride=8).transpose(1, 2).reshape(-1, 3 * 64).double()
    mean = patches.mean(dim=0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T))
    deviations = values.flip(0)[:LATENT_CHANNELS].sqrt()
    components = vectors.flip(1)[:, :LATENT_CHANNELS].T / (deviations * deviations[0]).sqrt()[:, None]
    return components.float().reshape(-1, 3, 8, 8), mean.float().reshape(3, 8, 8)


@torch.no_grad()
def start_as_principal_components(autoencoder: AutoencoderTiny, world: World) -> None:
    """Write the principal-component transform into the encoder, exactly.

    Two strided convolutions move 4 × 4 pixels into 48 channels (colours are not negative, so ReLUs do not change
    them); the third computes the components, each twice with opposite signs, for the same reason; the last convolution
    takes their difference and subtracts the mean.
    """
    components, mean = principal_components(world)
    _start_as_blur(autoencoder, components, mean)
    strided: list[Any] = [layer for layer in autoencoder.encoder.layers if isinstance(layer, nn.Conv2d)]
    first, halve, quarter, eighth, last = strided
    for layer in strided:
        layer.weight.mul_(0.05)  # weights outside the transform start small, but not at zero
    first.weight[:3].zero_()
    first.weight[range(3), range(3), 1, 1] = 1
    for layer, channels in ((halve, 3), (quarter, 12)):
        layer.weight[: 4 * channels].zero_()
        for part, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            for channel in range(channels):
                layer.weight[4 * channel + part, channel, 1 + row, 1 + column] = 1
    # Channel 16 c + 4 p + q of the quarter-size picture is colour c at part q of the 4 x 4 block, p of the 2 x 2 one.
    count = LATENT_CHANNELS
    eighth.weight[: 2 * count].zero_()
    for row in range(8):
        for column in range(8):
            inner = 4 * (2 * (row % 2) + column % 2) + 2 * (row // 2 % 2) + column // 2 % 2
            for colour in range(3):
                tap = components[:, colour, row, column]
                eighth.weight[:count, 16 * colour + inner, 1 + row // 4, 1 + column // 4] = tap
                eighth.weight[count : 2 * count, 16 * colour + inner, 1 + row // 4, 1 + column // 4] = -tap
    last.weight.zero_()
    last.weight[range(count), range(count), 1, 1] = 1
    last.weight[range(count), range(count, 2 * count), 1, 1] = -1
    last.bias.copy_(-(components * mean).sum(dim=(1, 2, 3)))


@torch.no_grad()
def _start_as_blur(autoencoder: AutoencoderTiny, components: Tensor, mean: Tensor) -> None:
    """Initialise the decoder so that it upsamples each patch's mean colour, in three channels."""
    convolutions: list[Any] = [layer for layer in autoencoder.decoder.layers if isinstance(layer, nn.Conv2d)]
    head, *middle, last = convolutions
    inverse = torch.linalg.pinv(components.flatten(1)).reshape(3, 64, -1).mean(dim=1)
    head.weight[:3].zero_()
    head.weight[:3, :, 1, 1] = inverse
    head.bias[:3] = mean.mean(dim=(1, 2))
    smooth = torch.tensor([0.25, 0.5, 0.25])
    for layer in middle:
        layer.weight[:3].zero_()
        layer.weight[range(3), range(3)] = smooth[:, None] * smooth
    last.weight.mul_(0.1)
    last.weight[:, :3].zero_()
    last.weight[range(3), range(3), 1, 1] = 1


def crops(world: World, batch_size: int, step: StepContext) -> Tensor:
    """Random crops of random scenes, `(batch_size, 3, CROP, CROP)`: training is four times faster than on scenes."""
    pictures = []
    drawn = [
        (sample_scene(world, step.rng), step.rng.integers(0, _SIDE - CROP + 1, size=2))
        for _ in range(batch_size * step.shards)
    ]
    for scene, (top, left) in step.mine(drawn):
        pictures.append(render(world, scene, _SIDE)[top : top + CROP, left : left + CROP])
    return to_tensor(pictures).to(step.device)


def edges(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbouring pixels, vertically and horizontally."""
    return picture.diff(dim=-2), picture.diff(dim=-1)


@dataclass
class Reconstruction(Objective[Tensor]):
    """Objective: reconstruct the picture from noisy latents; absolute, squared and edge error."""

    world: World
    autoencoder: AutoencoderTiny = field(default_factory=build_autoencoder)
    learning_rate: float = 5e-4

    def __post_init__(self) -> None:
        start_as_principal_components(self.autoencoder, self.world)
        self.networks = [
            TrainedNetwork(
                name="autoencoder", module=self.autoencoder, learning_rate=self.learning_rate, betas=(0.9, 0.999)
            )
        ]

    def loss(self, network: str, batch: Tensor, step: StepContext) -> Mapping[str, Tensor]:
        """Also logs `psnr` in dB (peak 2) and `spread`, the latents' standard deviation."""
        latents = self.autoencoder.encode(batch)[0]
        noise = step.normal(latents.shape)
        drawn = self.autoencoder.decode(latents + LATENT_NOISE * noise)[0].float()
        squared = F.mse_loss(drawn, batch)
        contours = sum(F.l1_loss(mine, true) for mine, true in zip(edges(drawn), edges(batch), strict=True))
        latents = latents.float()
        loss = F.l1_loss(drawn, batch) + 2 * squared + 0.5 * contours + 0.01 * latents.square().mean()
        return {"loss": loss, "psnr": -10 * torch.log10(squared / 4), "spread": latents.std()}

    @torch.no_grad()
    def sample(self) -> Image.Image:
        """Eight training scenes above their reconstructions."""
        rng = np.random.default_rng(0)
        scenes = to_tensor([render(self.world, sample_scene(self.world, rng)) for _ in range(8)])
        device = next(self.autoencoder.parameters()).device
        drawn = self.autoencoder.decode(self.autoencoder.encode(scenes.to(device))[0])[0].clamp(-1, 1)
        return to_picture(torch.cat([scenes, drawn.cpu()]), columns=8)
