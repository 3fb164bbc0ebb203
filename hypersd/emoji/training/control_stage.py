"""Last stage of the family: a ControlNet that follows the lines of a picture or of a drawing, for both modes.

The UNet is frozen; a Control-LoRA is trained to denoise scenes given their lines (Zhang et al. 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import Tensor

from hypersd.emoji.scenes import TrainingScenes
from hypersd.emoji.training.base_model import PIXELS, build_scheduler, truncated_snr_weights
from hypersd.sampling.control_image import canny, scribble
from hypersd.training.control_lora_training import trainable_controlnet
from hypersd.training.data import training_caption
from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import Objective, StepContext, TrainedNetwork
from hypersd.training.schedule import NoiseSchedule
from hypersd.training.text import TextEncoders

WIDTHS = (8, 24, 48, 64)
RANK = 8
LINE_DROPOUT = 0.05
"""Share of blank control images in training, so that a blank image has no effect."""

STROKES = (1 / 256, 1 / 48)
"""Stroke widths in training (see `scribble`), because users' pens differ."""


@dataclass(frozen=True, slots=True)
class ControlledScenes:
    """Pictures `(B, 3, H, W)` in [-1, 1], their captions, and their control images `(B, 3, H, W)` in [0, 1]."""

    pictures: Tensor
    captions: list[str]
    controls: Tensor


@dataclass(frozen=True)
class ControlledBatches:
    """Batches of the first `count` training scenes, each with a control image of a random mode."""

    data: TrainingScenes
    count: int
    batch_size: int

    def __call__(self, step: StepContext) -> ControlledScenes:
        """A random batch with newly drawn lines."""
        chosen = step.rng.integers(self.count, size=self.batch_size)
        captions = step.mine([training_caption(self.data, int(index), step.rng) for index in chosen])
        lots = step.mine([(step.rng.random(), step.rng.uniform(*STROKES)) for _ in chosen])
        pictures = self.data.pictures(step.mine(chosen).tolist())
        controls = [_lines(picture, *lot) for picture, lot in zip(pictures, lots, strict=True)]
        return ControlledScenes(
            to_tensor(pictures).to(step.device), captions, (to_tensor(controls).to(step.device) + 1) / 2
        )


def _lines(picture: np.ndarray[Any, np.dtype[np.uint8]], lot: float, stroke: float) -> Any:
    if lot < LINE_DROPOUT:
        return np.zeros_like(picture)
    image = Image.fromarray(picture)
    return np.asarray(canny(image) if lot < (1 + LINE_DROPOUT) / 2 else scribble(image, stroke))


@dataclass
class Controlling(Objective[ControlledScenes]):
    """Objective: predict the noise in a noisy latent, given its lines.

    Few-step models decide the layout in their first step, from almost pure noise, where a small error in the predicted
    noise is a large error in the picture. So the loss is that of the predicted picture at low SNR and that of the noise
    elsewhere (truncated SNR, Salimans and Ho 2022), see `truncated_snr_weights`; and times are drawn with
    probability proportional to the time.
    """

    folder: Path
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        self.text = TextEncoders.load(self.folder, PIXELS, self.device)
        self.vae: Any = AutoencoderTiny.from_pretrained(self.folder / "vae", dtype=torch.float32)
        self.unet: Any = UNet2DConditionModel.from_pretrained(self.folder / "unet", dtype=torch.float32)
        self.unet.set_attn_processor(AttnProcessor())
        self.controlnet = trainable_controlnet(self.unet, WIDTHS, RANK)
        for frozen in (self.vae, self.unet):
            frozen.requires_grad_(False).eval().to(self.device)
        self.schedule = NoiseSchedule(build_scheduler().alphas_cumprod)
        self.networks = [
            TrainedNetwork(
                name="controlnet", module=self.controlnet, learning_rate=self.learning_rate, betas=(0.9, 0.99)
            )
        ]

    def loss(self, network: str, batch: ControlledScenes, step: StepContext) -> Mapping[str, Tensor]:
        """Also logs `plain`, the unweighted error."""
        schedule = self.schedule.to(step.device)
        with torch.no_grad():
            clean = (self.vae.encode(batch.pictures)[0] * self.vae.config["scaling_factor"]).float()
        times = (schedule.num_train_timesteps * step.uniform(0, 1, len(clean)).sqrt()).long()
        noise = step.normal(clean.shape)
        noisy = schedule.add_noise(clean, noise, times)
        cond = self.text.conditioning(batch.captions)
        down, middle = self.controlnet(noisy, times, controlnet_cond=batch.controls, **cond, return_dict=False)
        predicted = self.unet(
            noisy, times, **cond, down_block_additional_residuals=down, mid_block_additional_residual=middle
        ).sample
        errors = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
        weights = truncated_snr_weights(schedule.alphas_cumprod[times])
        return {"loss": (errors * weights).mean(), "plain": errors.mean()}
