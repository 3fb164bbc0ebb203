"""Random weights of a published family's real shapes, in half precision, in the layout of the Hub's cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

from hypersd.models.blueprint import Blueprint
from hypersd.models.specs import Family
from hypersd.models.weights import Weights

RANK = 64


def snapshot(cache: Path, repository: str) -> Path:
    """The folder of a repository's one revision in a Hub cache, made if need be."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text("0" * 40)
    revision = folder / "snapshots" / ("0" * 40)
    revision.mkdir(parents=True, exist_ok=True)
    return revision


def write_base(cache: Path, published: Family) -> Any:
    """Write a family's base, and the VAE that replaces its own if there is one; return the pipeline."""
    torch.manual_seed(0)
    pipeline: Any = Blueprint.of_family(published.name).pipeline(torch.float16)
    encoders = [pipeline.text_encoder, getattr(pipeline, "text_encoder_2", None)]
    for network in (pipeline.unet, pipeline.vae, *(encoder for encoder in encoders if encoder is not None)):
        network.to_empty(device="cpu")
        for weight in (*network.parameters(), *network.buffers()):
            if weight.is_floating_point():
                weight.data.normal_(std=0.02)
            else:
                weight.data.copy_(torch.arange(weight.numel()).view(weight.shape))
    pipeline.save_pretrained(snapshot(cache, str(published.repository)), variant="fp16")
    if published.vae:
        pipeline.vae.save_pretrained(snapshot(cache, published.vae))
    return pipeline


def write_tiny_decoder(cache: Path, published: Family) -> None:
    """Write a family's tiny decoder."""
    assert published.tiny_decoder is not None
    tiny: Any = AutoencoderTiny()
    tiny.save_pretrained(snapshot(cache, published.tiny_decoder.repository))


def write_loras(cache: Path, pipeline: Any, chosen: Iterable[Weights]) -> None:
    """Write LoRAs of rank 64 on the attention layers of a base's UNet, under their published names."""
    pipeline.unet.add_adapter(LoraConfig(r=RANK, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    layers: dict[str, nn.Module | Tensor] = {
        name: value.half() for name, value in get_peft_model_state_dict(pipeline.unet).items()
    }
    for weights in chosen:
        folder = snapshot(cache, str(weights.repository))
        pipeline.save_lora_weights(folder, unet_lora_layers=layers, weight_name=str(weights.file))


def copy_base(cache: Path, published: Family, repository: str) -> None:
    """Write the base once more under the name of another pipeline."""
    shutil.copytree(snapshot(cache, str(published.repository)), snapshot(cache, repository), dirs_exist_ok=True)
