"""Last stage of the family: its base in other styles, each a LoRA trained on scenes of another artist's sprites.

With Hyper-SD's LoRA on such a base, the paper's Figure 10 can be drawn: few steps, in the style of the base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import Tensor

from hypersd.emoji.scenes import TrainingScenes
from hypersd.emoji.training.base_model import GUIDANCE, OFFSET_NOISE, PIXELS, build_pipeline, build_scheduler
from hypersd.training.adapters import add_adapter
from hypersd.training.data import CAPTION_DROPOUT, CaptionedLatents
from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import Objective, StepContext, TrainedNetwork
from hypersd.training.precision import half_precision
from hypersd.training.samples import draw
from hypersd.training.schedule import NoiseSchedule, offset_noise
from hypersd.training.text import TextEncoders

RANK = 4
WEIGHT_CAP = 25.0
"""Largest weight of a step's loss."""


@dataclass(frozen=True)
class StyledBatches:
    """Batches of the first `count` training scenes in a style, encoded by the family's own autoencoder.

    Args:
        data: scenes of the style's sprites.
        count: number of scenes.
        batch_size: of each batch.
        autoencoder: frozen, on the device of the training.
    """

    data: TrainingScenes
    count: int
    batch_size: int
    autoencoder: Any

    def __call__(self, step: StepContext) -> CaptionedLatents:
        """A random batch with random captions."""
        chosen = step.rng.integers(self.count, size=self.batch_size)
        captions = step.mine([self._caption(int(index), step) for index in chosen])
        pictures = to_tensor(self.data.pictures(step.mine(chosen).tolist())).to(step.device)
        with torch.no_grad(), half_precision(step.device):
            latents = self.autoencoder.encode(pictures)[0] * self.autoencoder.config["scaling_factor"]
        return CaptionedLatents(latents.float(), captions)

    def _caption(self, index: int, step: StepContext) -> str:
        return "" if step.rng.random() < CAPTION_DROPOUT else self.data.caption(index, step.rng)


@dataclass
class Styling(Objective[CaptionedLatents]):
    """Objective: predict the noise in a noisy latent of a styled scene, with a LoRA on the frozen base.

    The loss is that of the predicted picture at low SNR and that of the noise elsewhere (truncated SNR, Salimans and
    Ho 2022), at most `WEIGHT_CAP` times that of the noise: what few-step models decide in their first step, colours and
    shapes, is learned first.
    """

    folder: Path
    sample_prompts: Sequence[str]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    learning_rate: float = 2e-3
    unet: Any = field(init=False)

    def __post_init__(self) -> None:
        self.text = TextEncoders.load(self.folder, PIXELS, self.device)
        self.unet = UNet2DConditionModel.from_pretrained(self.folder / "unet", dtype=torch.float32)
        add_adapter(self.unet, RANK)
        # On a CPU the backward pass of PyTorch's fused attention is several times slower than plain attention's.
        self.unet.set_attn_processor(AttnProcessor())
        self.schedule = NoiseSchedule(build_scheduler().alphas_cumprod)
        self.networks = [
            TrainedNetwork(name="style", module=self.unet, learning_rate=self.learning_rate, betas=(0.9, 0.99))
        ]

    def loss(self, network: str, batch: CaptionedLatents, step: StepContext) -> Mapping[str, Tensor]:
        """Also logs `plain`, the unweighted error."""
        schedule = self.schedule.to(step.device)
        times = step.integers(0, schedule.num_train_timesteps, len(batch.latents))
        noise = offset_noise(batch.latents.shape, step, OFFSET_NOISE)
        noisy = schedule.add_noise(batch.latents, noise, times)
        predicted = self.unet(noisy, times, **self.text.conditioning(batch.captions)).sample
        errors = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
        alphas = schedule.alphas_cumprod[times]
        return {"loss": (errors * ((1 - alphas) / alphas).clamp(1, WEIGHT_CAP)).mean(), "plain": errors.mean()}

    def sample(self) -> Image.Image:
        """25 steps with guidance, then 4."""
        pipeline = build_pipeline(self.folder, self.unet).to(self.device)
        return draw(pipeline, self.sample_prompts, steps=(25, 4), guidance_scale=GUIDANCE)


def load_autoencoder(folder: Path, device: torch.device) -> Any:
    """The family's autoencoder, frozen, on a device."""
    autoencoder: Any = AutoencoderTiny.from_pretrained(folder / "vae", dtype=torch.float32)
    return autoencoder.requires_grad_(False).eval().to(device)
