"""Weights of a UNet in files: reading them, adding them to its own, and putting a LoRA on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hypersd.models.adapter_file import AdapterError, inspect, layer_of, unreadable
from hypersd.models.adapter_fit import AdapterFit, adapter_metadata, fit, unet_layers, weight_shapes
from hypersd.models.blobs import check_hash


def load_lora(unet: UNet2DConditionModel, path: Path, name: str) -> AdapterFit:
    """Put a LoRA file (diffusers' or kohya's key format) on a UNet under a name; returns what of it is applied.

    Raises:
        AdapterError: it is damaged, something else, or made for another model.
        FileNotFoundError: there is no such file.
    """
    adapter = inspect(path)
    fitted = fit(adapter, unet.config, weight_shapes(unet))
    layers, alphas = unet_layers(adapter, read_weights(path), unet.config)
    if broken := next((key for key, value in layers.items() if not torch.isfinite(value).all()), None):
        raise AdapterError(f"{path} has numbers that are not finite (in {broken}); train it or download it again")
    metadata = adapter_metadata(adapter)
    unet.load_lora_adapter(
        {f"unet.{key}": value for key, value in layers.items() if layer_of(key) in fitted.paths},
        network_alphas=None if metadata else alphas or None,
        prefix="unet",
        adapter_name=name,
        metadata=metadata,
    )
    return fitted


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, by name, whose bytes are those that the Hub states if it is in its cache.

    Raises:
        AdapterError: it is damaged.
        FileNotFoundError: there is no such file.
    """
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise AdapterError(unreadable(path)) from error
    check_hash(path)
    return state


def added(base: UNet2DConditionModel, differences: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """A UNet's state with `scale` times these differences added; those without a place are left as they are."""
    state = base.state_dict()
    return {
        key: (state[key].float() + scale * value.to(state[key].device).float())
        if key in state and state[key].shape == value.shape
        else value
        for key, value in differences.items()
    }


def share_equal(unet: UNet2DConditionModel, base: UNet2DConditionModel) -> None:
    """Let `unet` use the base's own tensors where an adapter has changed nothing."""
    for name, mine in unet.named_parameters():
        if torch.equal(mine, base_weight := base.get_parameter(name)):
            mine.data = base_weight.data
