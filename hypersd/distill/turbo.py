"""Adversarial diffusion distillation (Sauer et al. 2023), the method of SDXL-Turbo.

The discriminator reads the features of the family's own CLIP picture tower instead of DINOv2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPModel

from hypersd.distill.losses import (
    adversarial_distillation_loss,
    gradient_penalty,
    hinge_discriminator_loss,
    hinge_generator_loss,
)
from hypersd.distill.student import Conditioning, Student
from hypersd.training.adapter_passes import disable_adapter
from hypersd.training.data import CaptionedLatents
from hypersd.training.objective import Objective, StepContext, TrainedNetwork

STUDENT_TIMES = (249, 499, 749, 999)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurboConfig:
    """λ of the distillation loss is the paper's; its adversarial loss, in pixels of a small decoder, weighs less here.

    Rates fit a small model and a short training.

    Args:
        share_of_noise: share of the student's inputs that are pure noise at the last time (its one-step use).
    """

    steps: int = 280
    adversarial: float = 0.02
    distillation: float = 2.5
    gradient_penalty: float = 1e-3
    guidance_scale: float = 3.0
    share_of_noise: float = 0.5
    learning_rate: float = 3e-4
    discriminator_learning_rate: float = 5e-4


class PictureDiscriminator(nn.Module):
    """Heads on the frozen features of a CLIP picture tower, each conditioned on the text."""

    def __init__(self, clip: CLIPModel, text_dim: int, width: int = 64) -> None:
        super().__init__()
        self.tower = clip.vision_model.requires_grad_(False).eval()
        vision: Any = clip.config.vision_config
        features, layers = vision.hidden_size, vision.num_hidden_layers
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(features), nn.Linear(features, width), nn.LeakyReLU(0.2), nn.Linear(width, width)
            )
            for _ in range(layers)
        )
        self.texts = nn.ModuleList(nn.Linear(text_dim, width) for _ in range(layers))
        self.scores = nn.ModuleList(nn.Linear(width, 1) for _ in range(layers))

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Tokens after each layer, `(B, tokens, features)`, of pictures `(B, 3, H, W)` in [-1, 1]."""
        return [hidden.float() for hidden in self.tower(pictures, output_hidden_states=True).hidden_states[1:]]

    def forward(self, features: list[Tensor], pooled: Tensor) -> Tensor:
        """Logits `(B, layers · tokens)`: unconditional score plus projection on the text (Miyato and Koyama 2018)."""
        logits = []
        for hidden, head, text, score in zip(features, self.heads, self.texts, self.scores, strict=True):
            seen = head(hidden)
            logits.append(score(seen)[..., 0] + (seen * text(pooled)[:, None]).mean(dim=-1))
        return torch.cat(logits, dim=1).float()


@dataclass(eq=False)
class AdversarialDiffusion(Objective[CaptionedLatents]):
    """Objective: fool the discriminator, and match the teacher's prediction from the student's noised picture."""

    student: Student
    config: TurboConfig = field(default_factory=TurboConfig)

    def __post_init__(self) -> None:
        clip = CLIPModel.from_pretrained(self.student.folder / "clip", dtype=torch.float32)
        clip.set_attn_implementation("eager")
        self.discriminator = PictureDiscriminator(clip, self.student.text.pooled_dim)
        self.networks = [
            self.student.network(self.config.learning_rate, betas=(0.5, 0.99)),
            TrainedNetwork(
                name="discriminator",
                module=self.discriminator,
                learning_rate=self.config.discriminator_learning_rate,
                betas=(0.5, 0.99),
            ),
        ]

    def loss(self, network: str, batch: CaptionedLatents, step: StepContext) -> Mapping[str, Tensor]:
        """The student logs `adversarial` and `distillation`; the discriminator `penalty`."""
        conditioning = self.student.text.conditioning(batch.captions, batch.sizes)
        pooled = self.student.text.pooled(batch.captions)
        if network == "discriminator":
            return self._discriminator_loss(batch, pooled)
        drawn = self._draw(batch, conditioning, step)
        picture = self.student.picture(drawn)
        self.fake = picture.detach()
        adversarial = hinge_generator_loss(self.discriminator(self.discriminator.features(picture), pooled))
        distillation = self._distillation(drawn, batch, step)
        return {
            "loss": self.config.adversarial * adversarial + self.config.distillation * distillation,
            "adversarial": adversarial,
            "distillation": distillation,
        }

    def _draw(self, batch: CaptionedLatents, conditioning: Conditioning, step: StepContext) -> Tensor:
        """x̂_θ: the student's clean latent from a picture noised to one of its times, or from noise alone."""
        schedule = self.student.schedule.to(step.device)
        count = len(batch.latents)
        drawn = step.integers(0, len(STUDENT_TIMES), count)
        alone = step.uniform(0, 1, count) < self.config.share_of_noise
        times = torch.tensor(STUDENT_TIMES, device=step.device)[drawn].masked_fill(alone, STUDENT_TIMES[-1])
        noise = step.normal(batch.latents.shape)
        last = (times == STUDENT_TIMES[-1]).view(-1, 1, 1, 1)
        noisy = torch.where(last, noise, schedule.add_noise(batch.latents, noise, times))
        return schedule.predict_x0(noisy, self.student.predict(noisy, times, conditioning), times)

    def _distillation(self, drawn: Tensor, batch: CaptionedLatents, step: StepContext) -> Tensor:
        """Distance between the student's picture and the teacher's prediction from it, noised to a random time."""
        schedule = self.student.schedule.to(step.device)
        times = step.integers(20, schedule.num_train_timesteps, len(drawn))
        noise = step.normal(drawn.shape)
        scale = torch.full((len(drawn),), self.config.guidance_scale, device=step.device)
        with torch.no_grad(), disable_adapter(self.student.unet):
            noisy = schedule.add_noise(drawn.detach(), noise, times)
            guided = self.student.guided(noisy, times, batch.captions, scale, batch.sizes)
            taught = schedule.predict_x0(noisy, guided, times)
        return adversarial_distillation_loss(drawn, taught, schedule.alpha(times))

    def _discriminator_loss(self, batch: CaptionedLatents, pooled: Tensor) -> Mapping[str, Tensor]:
        """Hinge loss, with R1 (Mescheder et al. 2018) on the features that the heads read."""
        with torch.no_grad():
            real = self.discriminator.features(self.student.picture(batch.latents))
            fake = self.discriminator.features(self.fake)
        real = [hidden.requires_grad_() for hidden in real]
        on_real = self.discriminator(real, pooled)
        penalty = gradient_penalty(on_real, real)
        hinge = hinge_discriminator_loss(on_real, self.discriminator(fake, pooled))
        return {"loss": hinge + self.config.gradient_penalty * penalty, "penalty": penalty}

    def sample(self) -> Image.Image | None:
        """Draw a grid of the student's pictures in 4, 2 and 1 steps."""
        return self.student.draw((4, 2, 1))
