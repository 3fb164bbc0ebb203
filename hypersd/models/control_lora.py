"""Control-LoRA: a ControlNet in a file of a megabyte.

A ControlNet is a copy of the UNet's encoder, trained to read a control image. With the base available, the copy is not
stored: the file has its difference as a LoRA, and the layers that the UNet does not have (Stability AI 2023,
https://huggingface.co/stabilityai/control-lora). It is loaded as diffusers' `ControlNetModel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor

from hypersd.utils.readers import tensor_header

OWN_LAYERS = ("controlnet_cond_embedding.", "controlnet_down_blocks.", "controlnet_mid_block.")
"""Layers of a ControlNet that its UNet does not have."""

_WIDTHS = "conditioning_widths"
_NAME = "control"


def bare_controlnet(unet: UNet2DConditionModel, widths: tuple[int, ...]) -> ControlNetModel:
    """A ControlNet initialised to no effect: the UNet's encoder, and new layers.

    Args:
        unet: its encoder is copied.
        widths: channels of the layers that read the control image, each half as wide and high as the one before.
    """
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=widths)


def metadata(widths: tuple[int, ...]) -> dict[str, str]:
    """Metadata of a file from which its ControlNet can be built."""
    return {_WIDTHS: ",".join(map(str, widths))}


def load_control_lora(file: Path, unet: UNet2DConditionModel) -> ControlNetModel:
    """The ControlNet of a UNet and a Control-LoRA.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, something else, or made for another UNet.
    """
    shapes, texts = tensor_header(file)
    if _WIDTHS not in texts or not any(key.startswith(OWN_LAYERS) for key in shapes):
        raise ValueError(f"{file} is not a Control-LoRA of this package; train one with `emoji train --stages control`")
    controlnet = bare_controlnet(unet, tuple(map(int, texts[_WIDTHS].split(","))))
    state = load_file(file)
    put_control_lora(controlnet, state, file)
    return controlnet


def put_control_lora(controlnet: ControlNetModel, state: Mapping[str, Tensor], file: Path) -> None:
    """Load a Control-LoRA into a bare ControlNet; its LoRA is added to the copied layers.

    Raises:
        ValueError: the weights belong to another UNet; the message names `file`.
    """
    own = {key: value for key, value in state.items() if key.startswith(OWN_LAYERS)}
    factors = {key: value for key, value in state.items() if key not in own}
    try:
        outcome = controlnet.load_state_dict(own, strict=False)
        if factors:
            # None: the keys have no prefix; diffusers' annotation does not allow it.
            controlnet.load_lora_adapter(factors, prefix=None, adapter_name=_NAME)  # pyright: ignore[reportArgumentType]
            controlnet.fuse_lora(safe_fusing=True)
            controlnet.unload_lora()
    except (RuntimeError, ValueError, KeyError) as error:
        raise ValueError(f"{file} does not fit this UNet: it is another family's") from error
    if missing := [key for key in outcome.missing_keys if key.startswith(OWN_LAYERS)]:
        raise ValueError(f"{file} does not fit this UNet: it has no {missing[0]}")
