"""The published models that score pictures, tiny and random, in a Hub's cache: real names of files and of weights."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from tests.families import as_blobs, hub_file, write_clip, write_image_reward

B32, L14 = "openai/clip-vit-base-patch32", "openai/clip-vit-large-patch14"
H14, PICK = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "yuvalkirstain/PickScore_v1"
WIDTHS = (32, 24, 16, 8, 4, 1)
NUMBERS = (0, 2, 4, 6, 7)
"""Numbers of the aesthetic head's layers, with dropout between them."""


def fill(cache: Path) -> None:
    """Put all of them into a cache."""
    # CLIP ViT-B/32 is published as a pickle alone.
    weights = _clip(cache, B32) / "model.safetensors"
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()
    _clip(cache, L14)
    inputs = _clip(cache, H14)
    pick = hub_file(cache, PICK, "model.safetensors")
    for name in ("config.json", "model.safetensors"):
        pick.with_name(name).write_bytes((inputs / name).read_bytes())
    torch.save(aesthetic_weights(), hub_file(cache, "trl-lib/ddpo-aesthetic-predictor", "aesthetic-model.pth"))
    state = open_clip_names(hps_model(inputs).state_dict())
    torch.save({"state_dict": state}, hub_file(cache, "xswu/HPSv2", "HPS_v2_compressed.pt"))
    (inputs / "model.safetensors").unlink()
    words = hub_file(cache, "google-bert/bert-base-uncased", "vocab.txt").parent
    write_image_reward(hub_file(cache, "zai-org/ImageReward", "ImageReward.pt").parent, words)
    as_blobs(cache)


def _clip(cache: Path, repository: str) -> Path:
    folder = hub_file(cache, repository, "config.json").parent
    write_clip(folder)
    return folder


def aesthetic_weights() -> dict[str, Tensor]:
    """The head's weights under their published names."""
    torch.manual_seed(1)
    layers = dict(zip(NUMBERS, pairwise(WIDTHS), strict=True))
    matrices = {f"layers.{number}.weight": torch.randn(narrow, wide) for number, (wide, narrow) in layers.items()}
    return matrices | {f"layers.{number}.bias": torch.randn(narrow) for number, (_, narrow) in layers.items()}


def hps_model(inputs: Path) -> CLIPModel:
    """A random model of the shape in a folder, each weight of its own."""
    torch.manual_seed(2)
    model = CLIPModel(CLIPConfig.from_pretrained(inputs)).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.1 * torch.randn_like(value))
    return model


def open_clip_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A CLIP model's weights as OpenCLIP has them: attention's three matrices in one, projections transposed."""
    weights = {
        "visual.proj": state["visual_projection.weight"].T.contiguous(),
        "text_projection": state["text_projection.weight"].T.contiguous(),
        "logit_scale": state["logit_scale"],
        "visual.class_embedding": state["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": state["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": state["vision_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": state["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": state["text_model.embeddings.position_embedding.weight"],
    }
    norms = {
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "ln_final": "text_model.final_layer_norm",
    }
    for tower, prefix in (("vision_model", "visual.transformer"), ("text_model", "transformer")):
        for layer in {name.split(".")[3] for name in state if name.startswith(f"{tower}.encoder.layers.")}:
            there, here = f"{tower}.encoder.layers.{layer}", f"{prefix}.resblocks.{layer}"
            for kind in ("weight", "bias"):
                parts = [state[f"{there}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
                weights[f"{here}.attn.in_proj_{kind}"] = torch.cat(parts)
            norms |= {f"{here}.ln_1": f"{there}.layer_norm1", f"{here}.ln_2": f"{there}.layer_norm2"}
            norms |= {f"{here}.mlp.c_fc": f"{there}.mlp.fc1", f"{here}.mlp.c_proj": f"{there}.mlp.fc2"}
            norms[f"{here}.attn.out_proj"] = f"{there}.self_attn.out_proj"
    for here, there in norms.items():
        weights |= {f"{here}.{kind}": state[f"{there}.{kind}"] for kind in ("weight", "bias")}
    return weights
