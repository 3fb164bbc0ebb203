"""Check of an adapter file against a UNet, layer by layer, before weights are read."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from diffusers.utils import convert_unet_state_dict_to_peft
from torch import Tensor

from hypersd.models.adapter_file import (
    ARCHITECTURES,
    AdapterError,
    AdapterFile,
    Shapes,
    architecture,
    inspect,
    layer_of,
    read_header,
)
from hypersd.utils.errors import gist
from hypersd.utils.readers import read_object

_NAMED = 3
"""Layers that a message names; the others are counted."""

_FACTORS = (".lora_A.weight", ".lora_B.weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFit:
    """The layers of an adapter file that a UNet supports.

    Args:
        paths: modules of the UNet that are changed.
        total: layers in the file.
        text_encoder: layers of text encoders; they are not applied, because all models of a family share them.
        unknown: layers of the file that the UNet does not have.
    """

    file: Path
    paths: frozenset[str]
    total: int
    text_encoder: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def warning(self) -> str:
        """A sentence about layers that are not applied; empty if all are."""
        parts: list[str] = []
        if self.text_encoder:
            parts.append(
                f"{len(self.text_encoder)} of the text encoder, which all models share ({_some(self.text_encoder)})"
            )
        if others := self.total - len(self.paths) - len(self.text_encoder):
            parts.append(f"{others} that this UNet does not have ({_some(self.unknown)})")
        if not parts:
            return ""
        applied = f"{self.file.name}: {len(self.paths)} of {self.total} layers are applied"
        return f"{applied}; not applied: {' and '.join(parts)}"


def _some(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def fit(adapter: AdapterFile, config: Mapping[str, Any], shapes: Shapes) -> AdapterFit:
    """Match an adapter with a UNet.

    Args:
        adapter: of `inspect`.
        config: the UNet's.
        shapes: of the UNet's weights.

    Raises:
        AdapterError: it was made for another architecture, or nothing of it fits.
    """
    check_architecture(adapter, config.get("cross_attention_dim"))
    stand_ins = {
        key: torch.empty(shape, device="meta") if shape else torch.ones(()) for key, shape in adapter.shapes.items()
    }
    factors = {key: tuple(value.shape) for key, value in unet_layers(adapter, stand_ins, config)[0].items()}
    paths = {layer_of(key) for key in factors}
    known = {path for path in paths if f"{path}.weight" in shapes}
    wrong = sorted(path for path in known if not _matches(path, factors, shapes[f"{path}.weight"]))
    if wrong:
        raise AdapterError(
            f"{adapter.path} does not fit this model: {len(wrong)} of its {len(adapter.layers)} layers have another "
            f"shape ({_some(wrong)}); use an adapter that was made for this family"
        )
    if not known:
        raise AdapterError(
            f"{adapter.path} fits nowhere: none of its {len(adapter.layers)} layers ({_some(adapter.layers)}) is one "
            "of this UNet; use an adapter that was made for this family"
        )
    return AdapterFit(
        file=adapter.path,
        paths=frozenset(known),
        total=len(adapter.layers),
        text_encoder=tuple(sorted(adapter.text_encoder_layers)),
        unknown=tuple(sorted({*(paths - known), *adapter.foreign_layers, *adapter.broken_layers})),
    )


def check_architecture(adapter: AdapterFile, text_width: int | None) -> None:
    """Check that an adapter of a published architecture is for a UNet whose text conditioning has this width.

    Raises:
        AdapterError: it was made for another architecture.
    """
    width = adapter.text_width
    if width in ARCHITECTURES and text_width is not None and width != text_width:
        raise AdapterError(
            f"{adapter.path} was made for {adapter.architecture}, and this is {architecture(text_width)}; "
            "use an adapter that was made for this family"
        )


def _matches(path: str, factors: Shapes, weight: tuple[int, ...]) -> bool:
    """True if `up @ down` has the shape of a layer's weight: (out, in), or (out, in, height, width)."""
    down, up = (factors.get(path + end, ()) for end in _FACTORS)
    return (
        len(down) == len(up) == len(weight)
        and (up[0], down[1], *down[2:]) == weight
        and up[1] == down[0]
        and all(side == 1 for side in up[2:])
    )


def fit_file(path: Path, unet: Path) -> AdapterFit:
    """Match an adapter file with the UNet in a folder (`config.json` and its weights); only headers are read.

    Raises:
        AdapterError: it is no LoRA that can be read here, was made for another architecture, or nothing of it fits.
        OSError: there is no such file, or no such UNet.
    """
    adapter = inspect(path)
    config = read_object(unet / "config.json", "the configuration of a UNet")
    shapes = {key: shape for file in unet.glob("*.safetensors") for key, shape in read_header(file)[0].items()}
    return fit(adapter, config, shapes)


def weight_shapes(unet: UNet2DConditionModel) -> dict[str, tuple[int, ...]]:
    """The shapes of a UNet's own weights; an adapter that is on it already has moved some to a `base_layer`."""
    return {name.replace(".base_layer.", "."): tuple(value.shape) for name, value in unet.named_parameters()}


def unet_layers(
    adapter: AdapterFile, state: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The UNet's part of an adapter in peft's keys (`PATH.lora_A.weight`), and its alphas (`unet.PATH.alpha`).

    Args:
        adapter: of `inspect`.
        state: all its tensors.
        config: the UNet's: kohya's files may name layers by another implementation's blocks.

    Raises:
        AdapterError: the library cannot make sense of a key.
    """
    kept = {key: value for key, value in state.items() if key in adapter.readable_keys}
    alphas: dict[str, Any] = {}
    if adapter.format == "diffusers":  # the library reads alphas of kohya's format only
        alphas = {key: kept.pop(key).item() for key in list(kept) if key.endswith(".alpha")}
    try:
        loaded: Any = StableDiffusionXLPipeline.lora_state_dict(kept, unet_config=SimpleNamespace(**config))
    except (ValueError, KeyError, IndexError) as error:
        raise AdapterError(f"{adapter.path} has keys that are not understood ({gist(error)})") from error
    converted, kohya_alphas = loaded
    layers = _peft_keys(converted)
    if alphas := _peft_keys(alphas | (kohya_alphas or {})):
        by_path = {layer_of(key.removesuffix(".alpha")): float(value) for key, value in alphas.items()}
        ranks = {layer_of(key): value.shape[0] for key, value in layers.items() if key.endswith(_FACTORS[0])}
        # A layer without an alpha has scale 1; the library would give it the others' alpha.
        return layers, {f"unet.{path}.alpha": by_path.get(path, float(rank)) for path, rank in ranks.items()}
    return layers, {}


def _peft_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """The UNet's part of a state, in peft's keys."""
    unet = {key.removeprefix("unet."): value for key, value in state.items() if key.startswith("unet.")}
    converted: dict[str, Any] = convert_unet_state_dict_to_peft(unet)
    return {key.replace(".processor.", "."): value for key, value in converted.items()}


def adapter_metadata(adapter: AdapterFile) -> dict[str, Any] | None:
    """Metadata of an adapter that diffusers has written into its header (rank, alpha, layers); None if it has not.

    Raises:
        AdapterError: it is damaged.
    """
    text = adapter.metadata.get(LORA_ADAPTER_METADATA_KEY)
    if text is None:
        return None
    try:
        return {str(key): value for key, value in json.loads(text).items()}
    except (ValueError, AttributeError) as error:
        raise AdapterError(f"{adapter.path} has a damaged header; save the adapter again") from error
