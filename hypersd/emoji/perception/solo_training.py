"""Training and evaluation of the perception network on scenes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from PIL import Image
from torch import Tensor

from hypersd.emoji.perception.solo import Masks, Solo, centre_cell, instance_loss, object_mask, save_perception
from hypersd.emoji.scenes import TrainingScenes
from hypersd.emoji.world import World, render, sample_scene
from hypersd.training.image_tensors import to_picture, to_tensor
from hypersd.training.objective import Objective, StepContext, TrainedNetwork
from hypersd.training.precision import half_precision
from hypersd.training.records import hash_folder
from hypersd.training.trainer import Trainer
from hypersd.training.training_config import TrainingConfig

log = logging.getLogger(__name__)

STEPS, BATCH = 800, 32

_ROUND_TRIP = 8
_BLURRED = 4
"""One picture in this number goes through the autoencoder (slower than the training step itself); one is blurred."""

_LATENT_NOISE = 0.15
_PIXEL_NOISE = 0.1
_TINT = 0.08
_BLUR = 1.2
"""Strongest noise of latents (standard deviation 1), noise of colours in [-1, 1], and blur in pixels (sigma)."""


@dataclass(frozen=True, slots=True)
class SegmentationBatch:
    """Pictures `(B, 3, 128, 128)` in [-1, 1], and their targets."""

    pictures: Tensor
    targets: Masks


def segmentation_batch(
    world: World, autoencoder: AutoencoderTiny, batch_size: int, step: StepContext
) -> SegmentationBatch:
    """A batch of new training scenes, degraded like a generator's pictures."""
    scenes = step.mine([sample_scene(world, step.rng) for _ in range(batch_size * step.shards)])
    pictures = to_tensor([render(world, scene) for scene in scenes]).to(step.device)
    return SegmentationBatch(disturbed(pictures, autoencoder, step), Masks.of(world, scenes).to(step.device))


@torch.no_grad()
def disturbed(pictures: Tensor, autoencoder: AutoencoderTiny, step: StepContext) -> Tensor:
    """Pictures `(B, 3, H, W)` in [-1, 1]: some passed through the autoencoder, some are blurred, all are noisy.

    In use the network sees pictures that the autoencoder decodes from imperfect latents.
    """
    pictures = pictures.clone()
    coded, blurred = len(pictures) // _ROUND_TRIP, len(pictures) // _BLURRED
    if coded:
        strength = _LATENT_NOISE * step.rng.random() / autoencoder.config["scaling_factor"]
        with half_precision(step.device):
            latents = autoencoder.encode(pictures[:coded])[0]
            noise = step.normal(latents.shape)
            pictures[:coded] = autoencoder.decode(latents + strength * noise)[0].float()
    if blurred:
        pictures[coded : coded + blurred] = _blurred(pictures[coded : coded + blurred], _BLUR * step.rng.random())
    strengths, noise, tint = (
        step.normal(shape) for shape in ((len(pictures), 1, 1, 1), pictures.shape, (len(pictures), 3, 1, 1))
    )
    return (pictures + _PIXEL_NOISE / 2 * strengths * noise + _TINT / 2 * tint).clamp(-1, 1)


def _blurred(pictures: Tensor, sigma: float) -> Tensor:
    distances = torch.arange(-3, 4, device=pictures.device)
    kernel = torch.softmax(-distances.square() / (2 * max(sigma, 0.1) ** 2), dim=0).expand(3, 1, 1, -1)
    across = F.conv2d(F.pad(pictures, (3, 3, 0, 0), mode="replicate"), kernel, groups=3)
    return F.conv2d(F.pad(across, (0, 0, 3, 3), mode="replicate"), kernel.transpose(2, 3), groups=3)


@dataclass
class SoloTraining(Objective[SegmentationBatch]):
    """Objective: segment the scenes."""

    world: World
    learning_rate: float = 2e-3
    network: Solo = field(init=False)

    def __post_init__(self) -> None:
        self.network = Solo(list(self.world.objects))
        self.networks = [
            TrainedNetwork(name="solo", module=self.network, learning_rate=self.learning_rate, weight_decay=0.02)
        ]

    def loss(self, network: str, batch: SegmentationBatch, step: StepContext) -> Mapping[str, Tensor]:
        """The mean instance loss."""
        return {"loss": instance_loss(self.network, batch.pictures, batch.targets).mean()}

    @torch.no_grad()
    def sample(self) -> Image.Image:
        """Eight training scenes above the masks of their objects."""
        rng = np.random.default_rng(0)
        scenes = [sample_scene(self.world, rng) for _ in range(8)]
        pictures = to_tensor([render(self.world, scene) for scene in scenes])
        _, masks = self.network(pictures.to(next(self.network.parameters()).device))
        seen = torch.zeros(len(scenes), 1, *masks.shape[-2:])
        for index, scene in enumerate(scenes):
            for placed in scene.objects:
                seen[index, 0] += masks[(index, *centre_cell(placed))].sigmoid().cpu()
        enlarged = F.interpolate(seen.expand(-1, 3, -1, -1), pictures.shape[-2:])
        return to_picture(torch.cat([pictures, 2 * enlarged - 1]), columns=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationScores:
    """Scores of segmentation, each share in [0, 1].

    Args:
        category: share of objects whose centre cell has the right category.
        iou: mean intersection over union of that cell's mask and the true one, both thresholded at 0.5.
        empty: share of empty cells predicted as empty.
        objects: number of objects.
    """

    category: float
    iou: float
    empty: float
    objects: int


@torch.no_grad()
def evaluate_solo(
    network: Solo,
    world: World,
    *,
    scenes: int = 500,
    seed: int = 0,
    held_out: bool = True,
    autoencoder: AutoencoderTiny | None = None,
) -> SegmentationScores:
    """Evaluate a network on scenes that it was not trained on.

    Args:
        network: the network to evaluate.
        world: its world.
        scenes: number of scenes.
        seed: of the scenes.
        held_out: use combinations of object and background that no training scene shows.
        autoencoder: evaluate on its reconstructions of the scenes instead of the scenes.

    Raises:
        ValueError: the network was trained on other objects than the world's, or `scenes` is not positive.
    """
    if network.objects != tuple(world.objects):
        raise ValueError("the perception network was trained on another world's objects")
    if scenes < 1:
        raise ValueError(f"scenes must be positive, not {scenes}")
    rng = np.random.default_rng((8, seed))
    named: list[bool] = []
    overlaps: list[float] = []
    empty: list[Tensor] = []
    for start in range(0, scenes, BATCH):
        shown = [sample_scene(world, rng, held_out=held_out) for _ in range(min(BATCH, scenes - start))]
        pictures = to_tensor([render(world, scene) for scene in shown])
        if autoencoder is not None:
            pictures = autoencoder.decode(autoencoder.encode(pictures)[0])[0].clamp(-1, 1)
        categories, masks = network(pictures)
        guesses = categories.argmax(dim=1)
        empty.append(guesses[Masks.of(world, shown).categories == 0] == 0)
        for index, scene in enumerate(shown):
            for placed in scene.objects:
                cell = (index, *centre_cell(placed))
                named.append(int(guesses[cell]) == 1 + network.objects.index(placed.name))
                truth, mask = torch.from_numpy(object_mask(world, placed)) > 0.5, masks[cell] > 0
                overlaps.append(float((truth & mask).sum() / (truth | mask).sum()))
    return SegmentationScores(
        category=float(np.mean(named)),
        iou=float(np.mean(overlaps)),
        empty=float(torch.cat(empty).float().mean()),
        objects=len(named),
    )


def train_perception(
    world_folder: Path, out: Path, *, steps: int = STEPS, batch_size: int = BATCH, seed: int = 0
) -> Solo:
    """Train a network on the world of a family, from the last checkpoint if any, and write it to `out/perception`.

    Args:
        world_folder: the family's folder, with `world.json`, its sprites and `vae`.
        out: also receives the run's checkpoint, log and samples, in `out/training`.
        steps: optimiser steps.
        batch_size: scenes a step.
        seed: of the initial weights and of the scenes.

    Raises:
        OSError: the folder is not a family's, or `out` cannot be written.
        ValueError: the checkpoint in `out` is from another training.
    """
    world = World.load(world_folder)
    autoencoder = AutoencoderTiny.from_pretrained(world_folder / "vae", dtype=torch.float32).requires_grad_(False)
    torch.manual_seed(seed)
    objective = SoloTraining(world)
    config = TrainingConfig(
        out=out / "training", steps=steps, seed=seed, decay_from=0.3, ema_decay=0.995, sample_every=250
    )
    trainer = Trainer(config)
    autoencoder.to(trainer.accelerator.device)
    data = {
        "batch_size": batch_size,
        "world": TrainingScenes(world).fingerprint,
        "vae": hash_folder(world_folder / "vae"),
    }
    trainer.run(objective, partial(segmentation_batch, world, autoencoder, batch_size), data=data)
    network = objective.network.cpu().requires_grad_(False).eval()
    save_perception(network, out / "perception")
    log.info("the perception network is in %s", out / "perception")
    return network
