"""Traits by which the UNets of base models are told apart, from the names and shapes of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import UNet2DConditionModel

from hypersd.models.adapter_file import ARCHITECTURES, Shapes
from hypersd.models.blueprint import META
from hypersd.models.libraries import fitting, quietly
from hypersd.utils.readers import tensor_header

_SINGLE_FILE = "model.diffusion_model."
"""Beginning of the names of a UNet's weights in a single-file checkpoint."""

_VAE = "first_stage_model.decoder.conv_in.weight"
_CLIP = "transformer.text_model.embeddings.position_embedding.weight"
_BESIDE_UNET: Mapping[str, Mapping[str, str]] = {
    "SD 1.5": {"VAE": _VAE, "text encoder": f"cond_stage_model.{_CLIP}"},
    "SDXL": {
        "VAE": _VAE,
        "first text encoder": f"conditioner.embedders.0.{_CLIP}",
        "second text encoder": "conditioner.embedders.1.model.positional_embedding",
    },
}
"""Parts of single-file checkpoints beside the UNet, each with one of its tensors."""

_OTHER_PREDICTION = ("v_pred", "edm_vpred.sigma_max", "edm_mean")
"""Tensors by which programs mark checkpoints that do not predict the noise."""

_PICKLES = {".ckpt", ".bin", ".pt", ".pth"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetTraits:
    """Traits of a UNet.

    Args:
        channels: that it reads.
        width: of its first block.
        text: width of its text conditioning; 0 if it has none.
        added: width of what is conditioned on beside the text, as SDXL's pictures sizes are; 0 for none.
        depth: cross-attention layers.
    """

    channels: int
    width: int
    text: int
    added: int
    depth: int

    @classmethod
    def of_config(cls, file: Path, config: Mapping[str, Any]) -> UNetTraits:
        """Traits of the UNet that a configuration in diffusers' format describes; `file` is named in complaints.

        Raises:
            ValueError: no UNet can be made by it.
        """
        with fitting(file.parent), META, quietly():
            unet: Any = UNet2DConditionModel.from_config(dict(config))
        shapes = {name: tuple(value.shape) for name, value in unet.named_parameters()}
        return cls._of(shapes, "conv_in.weight", "add_embedding.linear_1.weight")

    @classmethod
    def of_checkpoint(cls, shapes: Shapes) -> UNetTraits:
        """Traits of the UNet in a single-file checkpoint."""
        return cls._of(shapes, f"{_SINGLE_FILE}input_blocks.0.0.weight", f"{_SINGLE_FILE}label_emb.0.0.weight")

    @classmethod
    def _of(cls, shapes: Shapes, first: str, added: str) -> UNetTraits:
        text = [shape[-1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")]
        width, channels = shapes[first][:2]
        extra = shapes.get(added, (0, 0))[1]
        return cls(channels=channels, width=width, text=text[0] if text else 0, added=extra, depth=len(text))

    def __str__(self) -> str:
        """The traits in words."""
        whose = f" ({ARCHITECTURES[self.text]}'s)" if self.text in ARCHITECTURES else ""
        return f"{self.depth} attention layers for a text of width {self.text}{whose}"


def checkpoint_traits(file: Path) -> UNetTraits:
    """Traits of the UNet in a single-file checkpoint; only its header is read.

    Raises:
        OSError: the file is missing.
        ValueError: it is a pickle, truncated, something else than a checkpoint, or does not predict the noise.
    """
    if file.suffix.lower() in _PICKLES:
        raise pickled(file)
    shapes, metadata = tensor_header(file)
    if f"{_SINGLE_FILE}input_blocks.0.0.weight" not in shapes:
        raise ValueError(
            f"{file} is no single-file checkpoint of SDXL or SD 1.5 (it has no {_SINGLE_FILE}input_blocks.0.0.weight); "
            "give a checkpoint, a diffusers folder or a repository of the Hub"
        )
    if any(name in shapes for name in _OTHER_PREDICTION) or metadata.get("modelspec.prediction_type", "e")[:1] == "v":
        raise wrong_prediction(file)
    return UNetTraits.of_checkpoint(shapes)


def check_whole(file: Path) -> None:
    """Check that a single-file checkpoint has a VAE and text encoders beside its UNet.

    Raises:
        OSError: the file is missing.
        ValueError: it lacks one.
    """
    shapes = tensor_header(file)[0]
    needed = _BESIDE_UNET["SDXL" if f"{_SINGLE_FILE}label_emb.0.0.weight" in shapes else "SD 1.5"]
    if missing := [part for part, name in needed.items() if name not in shapes]:
        raise ValueError(f"{file} is incomplete: it has no {' and no '.join(missing)}; give a whole checkpoint")


def pickled(place: Path) -> ValueError:
    """The error for weights that are a pickle."""
    return ValueError(f"{place} is a pickle, which is not opened since it can run code; convert it to safetensors")


def wrong_prediction(place: Path | str) -> ValueError:
    """The error for a base that does not predict the noise."""
    return ValueError(
        f"{place} does not predict the noise (v-prediction or EDM), as the bases of the few-step models here do; "
        "give another base"
    )
