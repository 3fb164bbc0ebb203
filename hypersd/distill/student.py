"""The student of all trainings: a base model from disk, its trainable adapter, the frozen text encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import Tensor

from hypersd.distill.distillation_options import RANK
from hypersd.models.blueprint import Blueprint
from hypersd.models.model_source import ModelSource
from hypersd.sampling.denoising import Predict, denoised
from hypersd.training.adapter_passes import pass_with_adapter, recompute_with_adapter
from hypersd.training.adapters import NAME, adapter_weights, add_adapter, fuse_adapter
from hypersd.training.objective import TrainedNetwork
from hypersd.training.samples import draw
from hypersd.training.schedule import DDIMSolver, NoiseSchedule
from hypersd.training.text import TextEncoders

Conditioning = Mapping[str, Any]
_CPU = torch.device("cpu")
_LARGE = 256
"""Side in pixels above which gradient checkpointing is the default."""


@dataclass(eq=False)
class Student:
    """A UNet with a trainable LoRA adapter; with the adapter off it is the teacher.

    Args:
        source: a pipeline of SDXL's or SD1.5's shape whose UNet predicts noise.
        rank: of the adapter.
        few_steps: file of an adapter to fuse into the base first, so that the few-step model is the base.
        gradient_checkpointing: recompute activations for the gradient; None: above 256 px.
        device: of the training.
        sample_prompts: of the grids of `draw`.
    """

    source: ModelSource | Blueprint
    rank: int = RANK
    few_steps: Path | None = None
    gradient_checkpointing: bool | None = None
    device: torch.device = _CPU
    sample_prompts: Sequence[str] = ()
    pipeline: Any = field(init=False, repr=False)
    few_steps_layers: Mapping[str, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.pipeline = self.source.pipeline(torch.float32)
        self.unet: UNet2DConditionModel = self.pipeline.unet
        self.pixels = int(self.unet.config["sample_size"]) * int(self.pipeline.vae_scale_factor)
        self.text = TextEncoders.of(self.pipeline, self.pixels)
        self.schedule = NoiseSchedule(self.pipeline.scheduler.alphas_cumprod)
        self.few_steps_layers = fuse_adapter(self.unet, self.few_steps) if self.few_steps else {}
        if self.device.type == "cpu":  # a CPU's convolutions are faster so, by 3 to 10 % of a forward pass
            torch.nn.Module.to(self.unet, memory_format=torch.channels_last)
        add_adapter(self.unet, self.rank)
        pass_with_adapter(self.unet)
        self.pipeline.vae.requires_grad_(False)
        if self.pixels > _LARGE:
            self.pipeline.vae.enable_slicing()
        if self.checkpointed:
            self.unet.enable_gradient_checkpointing(recompute_with_adapter(self.unet))
            self.pipeline.vae.enable_gradient_checkpointing()
        self._suit(self.unet)
        self.pipeline.to(self.device)

    @property
    def checkpointed(self) -> bool:
        """True if activations are computed again for the gradient."""
        return self.pixels > _LARGE if self.gradient_checkpointing is None else self.gradient_checkpointing

    @property
    def folder(self) -> Path:
        """The pipeline's."""
        return self.source.folder

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of what the UNet draws."""
        side = int(self.unet.config["sample_size"])
        return int(self.unet.config["in_channels"]), side, side

    @property
    def weights(self) -> list[torch.nn.Parameter]:
        """The adapter's weights."""
        return adapter_weights(self.unet)

    def network(self, learning_rate: float, betas: tuple[float, float] = (0.9, 0.99)) -> TrainedNetwork:
        """The adapter as a trained network."""
        return TrainedNetwork(name="student", module=self.unet, adapter=NAME, learning_rate=learning_rate, betas=betas)

    def plain_unet(self) -> UNet2DConditionModel:
        """A fresh copy of the base UNet, without the adapter."""
        unet = self.source.unet(torch.float32)
        self._suit(unet)
        if self.checkpointed:
            unet.enable_gradient_checkpointing()
        return unet

    def _suit(self, unet: UNet2DConditionModel) -> None:
        """Set plain attention on a CPU: the backward pass of PyTorch's fused attention is several times slower."""
        if self.device.type == "cpu":
            unet.set_attn_processor(AttnProcessor())

    def predict(self, latents: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        """ε̂ for `(B, C, H, W)` latents at times `(B,)`."""
        return self.unet(latents, times, **conditioning).sample.float()

    @torch.no_grad()
    def guided(
        self, latents: Tensor, times: Tensor, prompts: Sequence[str], scale: Tensor, sizes: Tensor | None = None
    ) -> Tensor:
        """ε̂ with classifier-free guidance (Ho and Salimans 2022) at scales `(B,)`, in one call of 2 B.

        Both halves are conditioned on the same `sizes`, as `TextEncoders.conditioning` takes them.
        """
        doubled = None if sizes is None else sizes.repeat(2, 1)
        both = self.text.conditioning([*prompts, *[""] * len(prompts)], doubled)
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
        encoded_latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
        return encoded_latents.float() * vae.config["scaling_factor"]

    @torch.no_grad()
    def trajectory(self, noise: Tensor, steps: int, conditioning: Conditioning) -> Tensor:
        """Clean latents from noise `(B, C, H, W)`, by DDIM jumps at trailing timesteps, without guidance."""
        solver = DDIMSolver(self.schedule.to(noise.device), self.schedule.trailing(steps))
        return denoised(solver, noise, self.predictor(conditioning))

    def predictor(self, conditioning: Conditioning) -> Predict:
        """The student as a function for the denoising loop, with one time for the whole batch."""
        return lambda latents, timestep: self.predict(
            latents, timestep.to(latents.device).expand(len(latents)), conditioning
        )

    def draw(self, steps: Sequence[int]) -> Image.Image | None:
        """Draw the student's pictures by DDIM with trailing timesteps, unguided, a row for each number of steps."""
        if not self.sample_prompts:
            return None
        self.pipeline.scheduler = DDIMScheduler.from_config(self.pipeline.scheduler.config, timestep_spacing="trailing")
        return draw(self.pipeline, self.sample_prompts, steps, guidance_scale=0.0)
