"""Control-LoRAs in training: a ControlNet with few trainable weights (see `hypersd.models.control_lora`)."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from hypersd.models.control_lora import OWN_LAYERS, bare_controlnet, metadata
from hypersd.utils.files import atomic_path

_TARGETS = ["conv1", "conv2", "conv_shortcut", "downsamplers.0.conv"]
"""Convolutions of the copied encoder: lines are local, so attention layers need no training."""

_NAME = "default"


def trainable_controlnet(unet: UNet2DConditionModel, widths: tuple[int, ...], rank: int) -> ControlNetModel:
    """A ControlNet initialised to no effect, with a trainable LoRA and trainable layers that the UNet does not have."""
    controlnet = bare_controlnet(unet, widths)
    controlnet.requires_grad_(False)
    # The layers after the encoder are zero, so it has no effect yet. If this layer were zero too, as in published
    # trainings, the gradients of both would be almost zero at the start.
    controlnet.controlnet_cond_embedding.conv_out.reset_parameters()
    controlnet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=_TARGETS), adapter_name=_NAME)
    for name, parameter in controlnet.named_parameters():
        if name.startswith(OWN_LAYERS):
            parameter.requires_grad_(True)
    # On a CPU the backward pass of PyTorch's fused attention is several times slower than plain attention's.
    controlnet.set_attn_processor(AttnProcessor())
    return controlnet


def save_control_lora(controlnet: ControlNetModel, file: Path) -> None:
    """Write a ControlNet's trained weights in half precision.

    Raises:
        OSError: it cannot be written.
    """
    own = {key: value for key, value in controlnet.state_dict().items() if key.startswith(OWN_LAYERS)}
    state = own | get_peft_model_state_dict(controlnet, adapter_name=_NAME)
    widths = tuple(controlnet.config["conditioning_embedding_out_channels"])
    with atomic_path(file, durable=True) as part:
        save_file(
            {key: value.detach().to(torch.float16).cpu().contiguous() for key, value in state.items()},
            part,
            metadata(widths),
        )
