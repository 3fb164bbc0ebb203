"""Last stage of the family: its base in other styles, each a LoRA trained on scenes of another artist's sprites.

With Hyper-SD's LoRA on such a base, the paper's Figure 10 can be drawn: few steps, in the style of the base.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from torch import Tensor

from hypersd.emoji.scenes import TrainingScenes
from hypersd.emoji.training.base_model import Denoising, truncated_snr_weights
from hypersd.training.adapters import add_adapter
from hypersd.training.data import CaptionedLatents, training_caption
from hypersd.training.image_tensors import to_tensor
from hypersd.training.objective import StepContext, TrainedNetwork
from hypersd.training.precision import half_precision

RANK = 4
LOST = 0.02
"""Share of a style's squared differences of weights that its file may lose, to take six tenths of the bytes."""


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
        captions = step.mine([training_caption(self.data, int(index), step.rng) for index in chosen])
        pictures = to_tensor(self.data.pictures(step.mine(chosen).tolist())).to(step.device)
        with torch.no_grad(), half_precision(step.device):
            latents = self.autoencoder.encode(pictures)[0] * self.autoencoder.config["scaling_factor"]
        return CaptionedLatents(latents.float(), captions)


@dataclass
class Styling(Denoising):
    """Objective: predict the noise in a noisy latent of a styled scene, with a LoRA on the frozen base.

    It is weighted by `truncated_snr_weights`, so that colours and shapes are learned first.
    """

    learning_rate: float = 2e-3

    def start(self) -> UNet2DConditionModel:
        """The family's base with a new LoRA."""
        unet = UNet2DConditionModel.from_pretrained(self.folder / "unet", dtype=torch.float32)
        add_adapter(unet, RANK)
        return unet

    def network(self) -> TrainedNetwork:
        """The LoRA as a trained network."""
        return TrainedNetwork(name="style", module=self.unet, learning_rate=self.learning_rate, betas=(0.9, 0.99))

    def weights(self, alphas_cumprod: Tensor) -> Tensor:
        """Weights of the noise's squared error `(B,)`."""
        return truncated_snr_weights(alphas_cumprod)


def load_autoencoder(folder: Path, device: torch.device) -> Any:
    """The family's autoencoder, frozen, on a device."""
    autoencoder: Any = AutoencoderTiny.from_pretrained(folder / "vae", dtype=torch.float32)
    return autoencoder.requires_grad_(False).eval().to(device)
