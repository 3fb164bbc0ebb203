"""Base models on disk, as diffusers pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel

from hypersd.models.blobs import check_hash
from hypersd.models.libraries import fitting, quietly
from hypersd.utils.model_folders import INDEX, check_network, check_pipeline
from hypersd.utils.readers import read_object


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Location of a base model on disk.

    Args:
        folder: of a diffusers pipeline.
        variant: of its weight files ("fp16"), or None.
        vae: a folder whose VAE replaces the pipeline's own, or None.
        checkpoint: a single file with all the weights, of which the folder has only the configurations; or None.
    """

    folder: Path
    variant: str | None = None
    vae: Path | None = None
    checkpoint: Path | None = None

    def pipeline(self, dtype: torch.dtype) -> DiffusionPipeline:
        """Read all that drawing needs.

        Raises:
            OSError: a file of the pipeline is missing.
            ValueError: a file of it is damaged, or they do not belong together.
        """
        if self.checkpoint is None:
            check_pipeline(self.folder)
        own = [self.checkpoint] if self.checkpoint else self.folder.glob("*/*.safetensors")
        for file in (*own, *(self.vae.glob("*.safetensors") if self.vae else ())):
            check_hash(file)
        replaced: dict[str, Any] = {}
        if self.vae:
            replaced["vae"] = autoencoder(self.vae, dtype)
        index = read_object(self.folder / INDEX, "the index of a diffusers pipeline", "_class_name")
        # Not needed to draw, and large.
        replaced |= {name: None for name in ("safety_checker", "feature_extractor", "image_encoder") if name in index}
        if self.checkpoint is not None:
            kind: Any = getattr(diffusers, str(index["_class_name"]))
            with quietly(), fitting(self.checkpoint):
                return kind.from_single_file(
                    str(self.checkpoint), config=str(self.folder), dtype=dtype, local_files_only=True, **replaced
                )
        with quietly(), fitting(self.folder):
            return DiffusionPipeline.from_pretrained(
                self.folder, dtype=dtype, variant=self.variant, use_safetensors=True, **replaced
            )

    def unet(self, dtype: torch.dtype) -> UNet2DConditionModel:
        """Read the UNet alone.

        Raises:
            OSError: there is none.
            ValueError: it is damaged.
        """
        if self.checkpoint is not None:
            check_hash(self.checkpoint)
            with quietly(), fitting(self.checkpoint):
                unet: Any = UNet2DConditionModel.from_single_file(
                    str(self.checkpoint), config=str(self.folder), subfolder="unet", dtype=dtype, local_files_only=True
                )
            return unet
        check_network(self.folder / "unet")
        for file in (self.folder / "unet").glob("*.safetensors"):
            check_hash(file)
        return UNet2DConditionModel.from_pretrained(
            self.folder, subfolder="unet", dtype=dtype, variant=self.variant, use_safetensors=True
        )


def autoencoder(folder: Path, dtype: torch.dtype) -> Any:
    """Read a VAE that has a folder of its own: a tiny one, or Stable Diffusion's.

    Raises:
        OSError: there is no VAE in the folder.
        ValueError: it is damaged.
    """
    name = read_object(folder / "config.json", "the configuration of a VAE", "_class_name")["_class_name"]
    kind: Any = diffusers.AutoencoderTiny if name == "AutoencoderTiny" else diffusers.AutoencoderKL
    # It is published in full precision, and has one variant only.
    return kind.from_pretrained(folder, dtype=dtype, use_safetensors=True)
