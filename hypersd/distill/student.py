"""What every distillation starts from: a base model in a folder, an adapter on it that learns, the frozen text side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import Tensor

from hypersd.models.loading import quietly
from hypersd.training.adapters import adapter_weights, add_adapter, fuse_adapter
from hypersd.training.samples import draw
from hypersd.training.solver import NoiseSchedule
from hypersd.training.text import TextEncoders

Conditioning = Mapping[str, Any]


@dataclass(eq=False)
class Student:
    """A UNet with a LoRA adapter that learns; with the adapter off, its teacher.

    Args:
        folder: a StableDiffusionXLPipeline folder whose UNet predicts noise.
        rank: of the adapter.
        few_steps: the file of an adapter to be fused into the base first: then the model of few steps is the base.
    """

    folder: Path
    rank: int = 16
    few_steps: Path | None = None
    pipeline: StableDiffusionXLPipeline = field(init=False, repr=False)

    def __post_init__(self) -> None:
        with quietly():
            self.pipeline = StableDiffusionXLPipeline.from_pretrained(self.folder, dtype=torch.float32)
        self.unet = self.pipeline.unet
        self.text = TextEncoders.load(self.folder, self.pipeline.default_sample_size * self.pipeline.vae_scale_factor)
        self.schedule = NoiseSchedule(self.pipeline.scheduler.alphas_cumprod)
        if self.few_steps is not None:
            fuse_adapter(self.unet, self.few_steps)
        add_adapter(self.unet, self.rank)
        self.pipeline.vae.requires_grad_(False)
        # On a CPU the backward pass of PyTorch's fused attention takes several times as long as plain attention's.
        self.unet.set_attn_processor(AttnProcessor())

    @property
    def weights(self) -> list[torch.nn.Parameter]:
        """The adapter's weights."""
        return adapter_weights(self.unet)

    def plain_unet(self) -> UNet2DConditionModel:
        """A fresh copy of the base UNet, without the adapter."""
        unet = UNet2DConditionModel.from_pretrained(self.folder, subfolder="unet", dtype=torch.float32)
        unet.set_attn_processor(AttnProcessor())
        return unet

    def predict(self, latents: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        """ε̂ for `(B, C, H, W)` latents at times `(B,)`."""
        return self.unet(latents, times, **conditioning).sample.float()

    @torch.no_grad()
    def guided(self, latents: Tensor, times: Tensor, prompts: Sequence[str], scale: Tensor) -> Tensor:
        """ε̂ with classifier-free guidance (Ho and Salimans 2022) at scales `(B,)`, in one call of 2 B."""
        both = self.text.conditioning([*prompts, *[""] * len(prompts)])
        with_prompt, without = self.predict(latents.repeat(2, 1, 1, 1), times.repeat(2), both).chunk(2)
        return without + scale.view(-1, 1, 1, 1) * (with_prompt - without)

    def picture(self, latents: Tensor) -> Tensor:
        """Decode scaled latents to pictures `(B, 3, H, W)` around [-1, 1]; differentiable."""
        vae = self.pipeline.vae
        return vae.decode(latents / vae.config["scaling_factor"]).sample

    @torch.no_grad()
    def latents(self, pictures: Tensor) -> Tensor:
        """Encode pictures `(B, 3, H, W)` in [-1, 1] to latents as the UNet sees them."""
        vae = self.pipeline.vae
        encoded = vae.encode(pictures)
        found = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
        return found.float() * vae.config["scaling_factor"]

    @torch.no_grad()
    def trajectory(self, noise: Tensor, steps: int, conditioning: Conditioning) -> Tensor:
        """Clean latents from noise `(B, C, H, W)`, by DDIM jumps at trailing timesteps, without guidance."""
        schedule, latents = self.schedule.to(noise.device), noise
        stride = schedule.steps // steps
        for index in range(steps, 0, -1):
            now, then = (
                torch.full((len(noise),), max(0, i * stride - 1), device=noise.device) for i in (index, index - 1)
            )
            latents = schedule.jump(latents, self.predict(latents, now, conditioning), now, then)
        return latents

    def draw(self, steps: Sequence[int]) -> Image.Image:
        """What the student draws without guidance by DDIM with trailing timesteps, a row for each number of steps."""
        self.pipeline.scheduler = DDIMScheduler.from_config(self.pipeline.scheduler.config, timestep_spacing="trailing")
        return draw(self.pipeline, steps, guidance_scale=0.0)
