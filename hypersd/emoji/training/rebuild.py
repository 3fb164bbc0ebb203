"""Rebuild the embedded family from its sprites: `python -m hypersd emoji train`.

Six resumable stages: the autoencoder, the two text encoders with their CLIP model, the training scenes as latents, the
base UNet, the ControlNet, the base in other styles. The latents are written to `OUT`, the parts of the other stages to
`OUT/family`, from where distillation (`hypersd.distill`) starts.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor

from hypersd.emoji.scenes import TrainingScenes
from hypersd.emoji.training.autoencoder import Reconstruction, crops
from hypersd.emoji.training.base_model import Denoising, build_pipeline, save_pipeline
from hypersd.emoji.training.clip_towers import Contrast, build_tokenizer, captioned, corpus
from hypersd.emoji.training.control_stage import ControlledBatches, Controlling
from hypersd.emoji.training.stages import LATENT_SHAPE, STAGES, check_stages
from hypersd.emoji.training.style_stage import LOST, StyledBatches, Styling, load_autoencoder
from hypersd.emoji.world import World, render, sample_scene
from hypersd.models.families.embedded import CONTROL_LORA, STYLE_LORA, STYLES
from hypersd.training.adapter_rank import shrink_adapter
from hypersd.training.adapters import save_adapter
from hypersd.training.control_lora_training import save_control_lora
from hypersd.training.data import LatentBatches, encoded
from hypersd.training.image_tensors import to_tensor
from hypersd.training.precision import half_precision
from hypersd.training.records import hash_file
from hypersd.training.row_shards import write_rows
from hypersd.training.trainer import Trainer
from hypersd.training.training_config import TrainingConfig
from hypersd.utils.files import atomic_folder
from hypersd.utils.model_folders import FAMILY_FOLDER, LATENTS
from hypersd.utils.readers import read_array

log = logging.getLogger(__name__)

SAMPLE_PROMPTS = 8

_RECORDED = ("autoencoder_batch", "clip_batch", "base_batch")
"""Fields of the configuration in the record of every stage, although each stage uses only its own: a finished run is
compared with its record, so a field that is added to the configuration is named by the stages that it decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmojiTrainingConfig:
    """Steps and batch size of each stage.

    The shipped family was trained with the defaults.
    """

    autoencoder_steps: int = 2200
    autoencoder_batch: int = 32
    clip_steps: int = 1500
    clip_batch: int = 128
    scenes: int = 64_000
    base_steps: int = 8000
    base_batch: int = 64
    control_steps: int = 2000
    control_batch: int = 8
    style_steps: int = 1500
    style_batch: int = 8

    def shortened(self, fraction: float) -> EmojiTrainingConfig:
        """The configuration with this fraction of its steps and scenes, and the same batch sizes."""
        counts = {name: value for name, value in asdict(self).items() if name.endswith("steps") or name == "scenes"}
        return replace(self, **{name: max(1, round(value * fraction)) for name, value in counts.items()})


@dataclass(frozen=True, kw_only=True)
class _Workshop:
    """State shared by all stages."""

    world: World
    out: Path
    recipe: EmojiTrainingConfig
    seed: int

    @property
    def examples(self) -> TrainingScenes:
        return TrainingScenes(self.world)

    @property
    def family(self) -> Path:
        return self.out / FAMILY_FOLDER

    def autoencoder(self) -> None:
        torch.manual_seed(self.seed)
        objective = Reconstruction(self.world)
        self._trainer(
            "autoencoder", self.recipe.autoencoder_steps, decay_from=0.4, ema_decay=0.995, sample_every=200
        ).run(objective, lambda step: crops(self.world, self.recipe.autoencoder_batch, step), data=self._data())
        autoencoder = objective.autoencoder.cpu()
        scenes = [sample_scene(self.world, np.random.default_rng((9, index))) for index in range(128)]
        with torch.no_grad():
            spread = autoencoder.encode(to_tensor([render(self.world, scene) for scene in scenes]))[0].std()
        autoencoder.register_to_config(scaling_factor=round(1 / float(spread), 2))
        with atomic_folder(self.family / "vae") as part:
            autoencoder.save_pretrained(part)

    def clip(self) -> None:
        torch.manual_seed(self.seed)
        objective = Contrast(self.world, build_tokenizer(corpus(self.world)))
        self._trainer("clip", self.recipe.clip_steps, decay_from=0.3, warmup=200).run(
            objective, lambda step: captioned(self.world, self.recipe.clip_batch, step), data=self._data()
        )
        objective.save(self.family)

    def latents(self) -> None:
        autoencoder = AutoencoderTiny.from_pretrained(self.family / "vae", dtype=torch.float32)

        def encoder(pictures: Tensor) -> Tensor:
            with half_precision(torch.device("cpu")):
                return autoencoder.encode(pictures)[0] * autoencoder.config["scaling_factor"]

        file = self.out / LATENTS
        if not file.exists():
            rows = range(self.recipe.scenes)
            write_rows(file, encoded(self.examples, encoder), rows, batch_size=64, label="latents")
        if (count := len(self._latents())) != self.recipe.scenes:
            raise ValueError(f"{file} holds {count} scenes, not {self.recipe.scenes}; delete it to encode them again")

    def _latents(self) -> NDArray[np.float16]:
        return read_array(self.out / LATENTS, LATENT_SHAPE, "latents of scenes")

    def _data(self, *decisive: str, examples: TrainingScenes | None = None) -> dict[str, Any]:
        """Data that determine a stage's examples, for the record of its run, with these fields of the configuration."""
        fields = {name: getattr(self.recipe, name) for name in (*_RECORDED, *decisive)}
        return {"examples": (examples or self.examples).fingerprint, **fields}

    def base(self) -> None:
        torch.manual_seed(self.seed)
        trainer = self._trainer(
            "base", self.recipe.base_steps, decay_from=0.45, warmup=200, ema_decay=0.999, sample_every=400
        )
        prompts = self.examples.held_out_prompts(SAMPLE_PROMPTS)
        objective = Denoising(self.family, prompts, trainer.accelerator.device)
        batches = LatentBatches(self.examples, self._latents(), self.recipe.base_batch)
        trainer.run(objective, batches, data=self._data() | {"latents": hash_file(self.out / LATENTS)})
        save_pipeline(build_pipeline(self.family, objective.unet.cpu()), self.family)

    def control(self) -> None:
        torch.manual_seed(self.seed)
        trainer = self._trainer("control", self.recipe.control_steps, decay_from=0.5, warmup=50, ema_decay=0.995)
        objective = Controlling(self.family, trainer.accelerator.device)
        batches = ControlledBatches(self.examples, self.recipe.scenes, self.recipe.control_batch)
        trainer.run(objective, batches, data=self._data("scenes", "control_batch"))
        save_control_lora(objective.controlnet, self.family / CONTROL_LORA)

    def styles(self) -> None:
        for style in self.world.styles:
            torch.manual_seed(self.seed)
            examples = TrainingScenes(self.world.in_style(style))
            trainer = self._trainer(
                f"{STYLES}/{style}",
                self.recipe.style_steps,
                decay_from=0.4,
                warmup=20,
                sample_every=self.recipe.style_steps,
            )
            device = trainer.accelerator.device
            objective = Styling(self.family, examples.held_out_prompts(SAMPLE_PROMPTS // 2), device)
            autoencoder = load_autoencoder(self.family, device)
            batches = StyledBatches(examples, self.recipe.scenes, self.recipe.style_batch, autoencoder)
            trainer.run(objective, batches, data=self._data("scenes", "style_batch", examples=examples))
            file = self.family / STYLES / style / STYLE_LORA
            save_adapter(objective.unet, file)
            shrink_adapter(file, file, lose=LOST)

    def _trainer(
        self,
        name: str,
        steps: int,
        *,
        decay_from: float,
        warmup: int = 100,
        ema_decay: float | None = None,
        sample_every: int = 0,
    ) -> Trainer:
        return Trainer(
            TrainingConfig(
                out=self.out / name,
                steps=steps,
                seed=self.seed,
                decay_from=decay_from,
                warmup=warmup,
                ema_decay=ema_decay,
                sample_every=sample_every,
            )
        )


_STAGES: dict[str, Callable[[_Workshop], None]] = {
    "autoencoder": _Workshop.autoencoder,
    "clip": _Workshop.clip,
    "latents": _Workshop.latents,
    "base": _Workshop.base,
    "control": _Workshop.control,
    "styles": _Workshop.styles,
}


def train(
    world: World, out: Path, *, stages: Sequence[str] = STAGES, seed: int = 0, recipe: EmojiTrainingConfig | None = None
) -> Path:
    """Run stages in order, each from its last checkpoint; return the family's folder, `out/family`.

    Raises:
        ValueError: a stage is unknown, or an earlier one that it needs has not been run.
        OSError: `out` cannot be written.
    """
    check_stages(out, stages)
    workshop = _Workshop(world=world, out=out, recipe=recipe or EmojiTrainingConfig(), seed=seed)
    with atomic_folder(workshop.family) as part:
        shutil.copy(world.folder / "world.json", part)
        shutil.copytree(world.folder / "sprites", part / "sprites")
        for style in world.styles:
            folder = Path(STYLES) / style / "sprites"
            shutil.copytree(world.folder / folder, part / folder)
    for name in STAGES:
        if name in stages:
            log.info("stage %s", name)
            _STAGES[name](workshop)
    return workshop.family
