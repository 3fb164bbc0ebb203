"""LoRA adapters in training: their weights and files (`adapter_passes`: the models that one UNet is with them)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from hypersd.models.adapter_file import inspect
from hypersd.models.adapter_fit import fit, weight_shapes
from hypersd.models.unet_weights import load_lora
from hypersd.utils.files import atomic_path

TARGETS = [
    *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"),
    *("conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj"),
]
"""All linear and convolution weights except the first, the last and the time embedding (LCM-LoRA's list)."""

NAME = "default"


def add_adapter(unet: UNet2DConditionModel, rank: int, name: str = NAME) -> None:
    """Freeze the UNet and add a LoRA that is initialised to no effect; its scale is 1 (alpha = rank).

    The UNet has the default adapter, until another is chosen by `adapter_passes.chosen_adapter`; the weights of all
    adapters require a gradient.
    """
    unet.requires_grad_(False)
    with catch_warnings():
        filterwarnings("ignore", "Already found a `peft_config`")  # of a second adapter, which is intended
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS), adapter_name=name)
    unet.set_adapter(NAME)
    for parameter_name, parameter in unet.named_parameters():
        parameter.requires_grad_("lora_" in parameter_name)


def adapter_weights(unet: UNet2DConditionModel, name: str = NAME) -> list[nn.Parameter]:
    """An adapter's weights, in a fixed order."""
    return [parameter for key, parameter in unet.named_parameters() if is_of_adapter(key, name)]


def is_of_adapter(key: str, name: str) -> bool:
    """True if a parameter with this key in a UNet is a weight of the adapter `name`."""
    return key.endswith((f".lora_A.{name}.weight", f".lora_B.{name}.weight"))


@torch.no_grad()
def copy_weights(target: Sequence[Tensor], source: Sequence[Tensor]) -> None:
    """Overwrite weights, in place."""
    for mine, other in zip(target, source, strict=True):
        mine.copy_(other)


def ema_update(average: Sequence[Tensor], weights: Sequence[Tensor], decay: float) -> None:
    """Θ⁻ ← decay·Θ⁻ + (1 − decay)·Θ, in place."""
    update = get_ema_multi_avg_fn(decay)
    update(list(average), list(weights), 0)


def save_adapter(unet: UNet2DConditionModel, file: Path) -> None:
    """Write the adapter in the diffusers key format, half precision; the file appears under its name when complete."""
    weights = get_peft_model_state_dict(unet, adapter_name=NAME)
    layers: dict[str, nn.Module | Tensor] = {key: value.half() for key, value in weights.items()}
    with atomic_path(file, durable=True) as part:
        StableDiffusionXLPipeline.save_lora_weights(part.parent, unet_lora_layers=layers, weight_name=part.name)


def export_kohya(file: Path, target: Path) -> None:
    """Write an adapter of `save_adapter` in kohya's key format, which ComfyUI, WebUIs and diffusers read.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: `target` cannot be written.
    """
    weights: dict[str, Tensor] = convert_state_dict_to_kohya(load_file(file))
    with atomic_path(target, durable=True) as part:
        save_file({key: value.contiguous() for key, value in weights.items()}, part)


def load_adapter(unet: UNet2DConditionModel, file: Path, name: str = NAME) -> None:
    """Load an adapter's weights from a file of `save_adapter`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not an adapter, or has another shape.
    """
    fit(inspect(file), unet.config, weight_shapes(unet))
    layers = {key.removeprefix("unet."): value.float() for key, value in load_file(file).items()}
    try:
        outcome = set_peft_model_state_dict(unet, layers, adapter_name=name)
    except RuntimeError as error:
        raise ValueError(f"{file} does not fit this training: its rank or its layers are others") from error
    if outcome.unexpected_keys:
        raise ValueError(f"{file} does not fit this model: it has {outcome.unexpected_keys[0]}")
    if missing := [key for key in outcome.missing_keys if is_of_adapter(key, name)]:
        raise ValueError(f"{file} does not fit this model: it has no {missing[0]}")


def fuse_adapter(unet: UNet2DConditionModel, file: Path) -> dict[str, Tensor]:
    """Merge an adapter file (diffusers' or kohya's key format) into the UNet's weights; return its layers.

    The layers have the format of `save_adapter`, without alphas, for both file formats.

    Raises:
        FileNotFoundError: there is no such file.
        AdapterError: the file is damaged, not an adapter, or made for another model.
    """
    load_lora(unet, file, NAME)
    layers = adapter_layers(unet)
    unet.fuse_lora(safe_fusing=True)
    unet.unload_lora()
    return layers


def adapter_layers(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The adapter in the diffusers key format, float32, multiplied by its alphas."""
    layers: dict[str, Tensor] = {}
    for path, layer in unet.named_modules():
        if isinstance(layer, LoraLayer) and NAME in layer.lora_A:
            factors: Any = (layer.lora_A, layer.lora_B)
            down, up = (factor[NAME].weight.detach().float() for factor in factors)
            # Multiply the first factor, which has the larger numbers: half precision underflows for very small ones.
            layers[f"unet.{path}.lora_A.weight"] = down * layer.scaling[NAME]
            layers[f"unet.{path}.lora_B.weight"] = up.clone()
    return layers
