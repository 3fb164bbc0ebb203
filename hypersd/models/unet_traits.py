"""Traits by which the UNets of base models are told apart, from configurations and headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hypersd.models.adapter_file import ARCHITECTURES
from hypersd.utils.readers import read_json, tensor_header

_FIRST = "model.diffusion_model.input_blocks.0.0.weight"
_ADDED = "model.diffusion_model.label_emb.0.0.weight"
"""Names of a UNet's weights in a single-file checkpoint."""

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

Layers = int | list[int | list[int]]
"""A number of layers for all blocks, or for each; or, for a block, for each of its parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _UNetConfig:
    """The entries of a UNet's configuration that determine its traits."""

    in_channels: int
    block_out_channels: list[int]
    cross_attention_dim: int | list[int] | None
    down_block_types: list[str]
    up_block_types: list[str]
    layers_per_block: int | list[int] = 2
    transformer_layers_per_block: Layers = 1
    reverse_transformer_layers_per_block: Layers | None = None
    mid_block_type: str | None = "UNetMidBlock2DCrossAttn"
    addition_embed_type: str | None = None
    projection_class_embeddings_input_dim: int | None = None

    @property
    def depth(self) -> int:
        """Cross-attention layers of all blocks."""
        blocks = len(self.down_block_types)
        down = _for_each(self.transformer_layers_per_block, blocks)
        reverse = self.reverse_transformer_layers_per_block
        up = down[::-1] if reverse is None else _for_each(reverse, blocks)
        parts = [self.layers_per_block] * blocks if isinstance(self.layers_per_block, int) else self.layers_per_block
        lengths = [*parts, *(length + 1 for length in parts[::-1])]
        kinds = [*self.down_block_types, *self.up_block_types]
        rows = zip(kinds, lengths, [*down, *up], strict=False)
        attended = sum(_layers(each, length) for kind, length, each in rows if "CrossAttn" in kind)
        middle = down[-1:] if "CrossAttn" in str(self.mid_block_type) else []
        return attended + sum(_layers(each, 1) for each in middle)


def _for_each(layers: Layers, blocks: int) -> list[int | list[int]]:
    return [layers] * blocks if isinstance(layers, int) else layers


def _layers(each: int | list[int], length: int) -> int:
    return length * each if isinstance(each, int) else sum(each)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Architecture:
    unet: _UNetConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetTraits:
    """Traits of a UNet.

    Args:
        channels: that it reads.
        width: of its first block.
        text: width of its text conditioning; 0 if it has none.
        added: width of what is conditioned on beside the text, such as SDXL's sizes; 0 for none.
        depth: cross-attention layers.
    """

    channels: int
    width: int
    text: int
    added: int
    depth: int

    def __str__(self) -> str:
        """The traits in words."""
        architecture = f" ({ARCHITECTURES[self.text]}'s)" if self.text in ARCHITECTURES else ""
        return f"{self.depth} attention layers for a text of width {self.text}{architecture}"


def config_traits(file: Path) -> UNetTraits:
    """Traits of the UNet that a configuration in diffusers' format describes.

    Raises:
        OSError: the file is missing.
        ValueError: it is damaged, or describes another network.
    """
    config: _UNetConfig = read_json(file, _UNetConfig, "the configuration of a UNet")
    return _of_config(config)


def architecture_traits(file: Path) -> UNetTraits:
    """Traits of the UNet in a file of architectures that this package states.

    Raises:
        OSError, ValueError: as `config_traits`.
    """
    parts: _Architecture = read_json(file, _Architecture, "the architecture of a family")
    return _of_config(parts.unet)


def _of_config(config: _UNetConfig) -> UNetTraits:
    text, added = config.cross_attention_dim, config.projection_class_embeddings_input_dim
    return UNetTraits(
        channels=config.in_channels,
        width=next(iter(config.block_out_channels), 0),
        text=(next(iter(text), 0) if isinstance(text, list) else text) or 0,
        added=(added or 0) if config.addition_embed_type else 0,
        depth=config.depth,
    )


def checkpoint_traits(file: Path) -> UNetTraits:
    """Traits of the UNet in a single-file checkpoint; only its header is read.

    Raises:
        OSError: the file is missing.
        ValueError: it is a pickle, truncated, something else than a checkpoint, or does not predict the noise.
    """
    if file.suffix.lower() in _PICKLES:
        raise pickled(file)
    shapes, metadata = tensor_header(file)
    first = shapes.get(_FIRST, ())
    if len(first) < 2:
        raise ValueError(
            f"{file} is no single-file checkpoint of SDXL or SD 1.5 (it has no {_FIRST}); "
            "give a checkpoint, a diffusers folder or a repository of the Hub"
        )
    if any(name in shapes for name in _OTHER_PREDICTION) or metadata.get("modelspec.prediction_type", "e")[:1] == "v":
        raise wrong_prediction(file)
    text = [shape[-1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")]
    width, channels = first[:2]
    added = shapes.get(_ADDED, (0, 0))[-1]
    return UNetTraits(channels=channels, width=width, text=text[0] if text else 0, added=added, depth=len(text))


def check_whole(file: Path) -> None:
    """Check that a single-file checkpoint has a VAE and text encoders beside its UNet.

    Raises:
        OSError: the file is missing.
        ValueError: it lacks one.
    """
    shapes = tensor_header(file)[0]
    needed = _BESIDE_UNET["SDXL" if _ADDED in shapes else "SD 1.5"]
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
