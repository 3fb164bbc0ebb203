"""Stage 3 of the family: the base model, a small SDXL UNet trained to predict noise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from hypersd.emoji.training.autoencoder import LATENT_CHANNELS
from hypersd.training.data import CaptionedLatents
from hypersd.training.objective import Objective, StepContext, TrainedNetwork
from hypersd.training.samples import draw
from hypersd.training.schedule import NoiseSchedule, offset_noise
from hypersd.training.text import TextEncoders
from hypersd.utils.files import atomic_folder

PIXELS = 128
GUIDANCE = 3.0
OFFSET_NOISE = 0.15
SNR_CAP = 5.0
"""Upper limit of the signal-to-noise ratio in Min-SNR weighting (Hang et al. 2023)."""

WEIGHT_CAP = 25.0
"""Largest weight of `truncated_snr_weights`."""


def build_unet(cross_attention_dim: int, pooled_dim: int) -> UNet2DConditionModel:
    """SDXL's block plan (no attention at the top level, text_time conditioning), 16 M parameters."""
    time_dim = 32
    heads: Any = (3, 5, 7)  # one number per level; the annotation is wrong
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(96, 160, 224),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=heads,
        cross_attention_dim=cross_attention_dim,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=time_dim,
        projection_class_embeddings_input_dim=6 * time_dim + pooled_dim,
    )


def build_scheduler() -> DDIMScheduler:
    """SD's scaled-linear schedule, with all arguments of SDXL's configuration."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="trailing",
    )


def build_pipeline(folder: Path, unet: UNet2DConditionModel) -> StableDiffusionXLPipeline:
    """The family's pipeline in full precision: the parts that earlier stages wrote to `folder`, and this UNet."""
    dtype = torch.float32  # a finished family is in half precision
    vae: Any = AutoencoderTiny.from_pretrained(
        folder / "vae", dtype=dtype
    )  # annotated as AutoencoderKL, but any VAE works
    scheduler: Any = build_scheduler()
    return StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype),
        text_encoder_2=CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", dtype=dtype),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        tokenizer_2=CLIPTokenizer.from_pretrained(folder / "tokenizer_2"),
        unet=unet,
        scheduler=scheduler,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )


def save_pipeline(pipeline: StableDiffusionXLPipeline, folder: Path) -> None:
    """Write the pipeline in half precision; remove local paths and entries that cause warnings from its configurations.

    AutoencoderTiny writes an entry, `block_out_channels`, that it warns about when it is loaded.
    """
    with atomic_folder(folder) as part:
        pipeline.to(torch.float16).save_pretrained(part)
        for file in part.glob("*/*config.json"):
            entries = json.loads(file.read_text())
            kept = {key: value for key, value in entries.items() if key != "_name_or_path"}
            if file.parent.name == "vae":
                kept.pop("block_out_channels", None)
            file.write_text(json.dumps(kept, indent=2) + "\n")


def truncated_snr_weights(alphas_cumprod: Tensor) -> Tensor:
    """Weights of the noise's squared error `(B,)` that few-step models need: they decide most in their first step.

    At low SNR the loss is that of the predicted picture, at most `WEIGHT_CAP` times that of the noise; elsewhere it is
    that of the noise (truncated SNR, Salimans and Ho 2022).
    """
    return ((1 - alphas_cumprod) / alphas_cumprod).clamp(1, WEIGHT_CAP)


@dataclass
class Denoising(Objective[CaptionedLatents]):
    """Objective: predict the noise in a noisy latent (Ho et al. 2020), weighted by Min-SNR, text encoders frozen."""

    folder: Path
    sample_prompts: Sequence[str]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    learning_rate: float = 8e-4
    unet: UNet2DConditionModel = field(init=False)

    def __post_init__(self) -> None:
        self.text = TextEncoders.load(self.folder, PIXELS, self.device)
        self.unet = self.start()
        # On a CPU the backward pass of PyTorch's fused attention is several times slower than plain attention's.
        self.unet.set_attn_processor(AttnProcessor())
        self.schedule = NoiseSchedule(build_scheduler().alphas_cumprod)
        self.networks = [self.network()]

    def start(self) -> UNet2DConditionModel:
        """The UNet before its training."""
        return build_unet(self.text.hidden_dim, self.text.pooled_dim)

    def network(self) -> TrainedNetwork:
        """The UNet as a trained network."""
        return TrainedNetwork(
            name="unet", module=self.unet, learning_rate=self.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )

    def weights(self, alphas_cumprod: Tensor) -> Tensor:
        """Weights of the noise's squared error `(B,)`."""
        return (SNR_CAP * (1 - alphas_cumprod) / alphas_cumprod).clamp(max=1)

    def loss(self, network: str, batch: CaptionedLatents, step: StepContext) -> Mapping[str, Tensor]:
        """Also logs `plain`, the unweighted error."""
        schedule = self.schedule.to(step.device)
        times = step.integers(0, schedule.num_train_timesteps, len(batch.latents))
        noise = offset_noise(batch.latents.shape, step, OFFSET_NOISE)
        noisy = schedule.add_noise(batch.latents, noise, times)
        predicted = self.unet(noisy, times, **self.text.conditioning(batch.captions)).sample
        errors = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
        return {"loss": (errors * self.weights(schedule.alphas_cumprod[times])).mean(), "plain": errors.mean()}

    def sample(self) -> Image.Image:
        """25 steps with guidance, then 4."""
        pipeline = build_pipeline(self.folder, self.unet).to(self.device)
        return draw(pipeline, self.sample_prompts, steps=(25, 4), guidance_scale=GUIDANCE)
