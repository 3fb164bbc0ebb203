"""Tiny pipelines as single-file checkpoints, in the key formats of the published SD 1.5 and SDXL ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    # Of two blocks of one layer each: an input block is a layer or a downsampler, an output block holds an upsampler.
    "down_blocks.0.resnets.0": "input_blocks.1.0",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0": "input_blocks.3.0",
    "down_blocks.1.attentions.0": "input_blocks.3.1",
    "up_blocks.0.resnets.0": "output_blocks.0.0",
    "up_blocks.0.attentions.0": "output_blocks.0.1",
    "up_blocks.0.resnets.1": "output_blocks.1.0",
    "up_blocks.0.attentions.1": "output_blocks.1.1",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.2.conv",
    "up_blocks.1.resnets.0": "output_blocks.2.0",
    "up_blocks.1.resnets.1": "output_blocks.3.0",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {
    "encoder.layers.": "resblocks.",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    ".fc1.": ".c_fc.",
    ".fc2.": ".c_proj.",
    ".self_attn": ".attn",
}
_OPEN_CLIP_ENDS = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}


def write_single_file(pipeline: Any, file: Path) -> None:
    """Write a tiny pipeline of `tests.families` as a single-file checkpoint."""
    state = {f"model.diffusion_model.{_unet_key(key)}": value for key, value in pipeline.unet.state_dict().items()}
    state |= {f"first_stage_model.{_vae_key(key)}": _as_conv(key, value) for key, value in _state(pipeline.vae).items()}
    double = getattr(pipeline, "text_encoder_2", None) is not None
    first = "conditioner.embedders.0.transformer" if double else "cond_stage_model.transformer"
    state |= {f"{first}.text_model.{key}": value for key, value in _text(pipeline.text_encoder).items()}
    if double:
        state |= {f"conditioner.embedders.1.model.{key}": value for key, value in _open_clip(pipeline).items()}
    save_file({key: value.contiguous().clone() for key, value in state.items()}, file)


def _state(module: Any) -> dict[str, Tensor]:
    return module.state_dict()


def _unet_key(key: str) -> str:
    part = max((name for name in _UNET if key.startswith(f"{name}.")), key=len)
    rest = key.removeprefix(part)
    if ".resnets." in part:
        for name, other in _RESNET.items():
            rest = rest.replace(name, other)
    return _UNET[part] + rest


def _vae_key(key: str) -> str:
    key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", key)
    key = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", key)
    key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(r"up_blocks\.(\d)\.resnets\.", lambda match: f"up.{3 - int(match[1])}.block.", key)
    key = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda match: f"up.{3 - int(match[1])}.upsample", key)
    if "mid_block.attentions.0" in key:
        for name, other in _VAE_ATTENTION.items():
            key = key.replace(f".{name}.", f".{other}.")
    return key.replace("mid_block.attentions.0", "mid.attn_1")


def _as_conv(key: str, value: Tensor) -> Tensor:
    """The VAE's attention is made of 1 × 1 convolutions there."""
    return value[:, :, None, None] if "attentions" in key and value.ndim == 2 else value


def _text(encoder: Any) -> dict[str, Tensor]:
    state = {key.removeprefix("text_model."): value for key, value in _state(encoder).items()}
    return {key: value for key, value in state.items() if "position_ids" not in key}


def _open_clip(pipeline: Any) -> dict[str, Tensor]:
    state = _text(pipeline.text_encoder_2)
    converted = {"text_projection": state.pop("text_projection.weight").T}
    for key, value in state.items():
        if key in _OPEN_CLIP_ENDS:
            converted[_OPEN_CLIP_ENDS[key]] = value
        elif match := re.fullmatch(r"(.*)\.q_proj\.(weight|bias)", key):
            rows = [state[f"{match[1]}.{name}_proj.{match[2]}"] for name in "qkv"]
            converted[f"transformer.{_open_clip_key(match[1])}.in_proj_{match[2]}"] = torch.cat(rows)
        elif not re.search(r"\.[kv]_proj\.", key):
            converted[f"transformer.{_open_clip_key(key)}"] = value
    return converted


def _open_clip_key(key: str) -> str:
    for name, other in _OPEN_CLIP.items():
        key = key.replace(name, other)
    return key
