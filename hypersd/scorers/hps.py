"""HPSv2 (Wu et al. 2023): a CLIP ViT-H/14 trained on preferences, published with OpenCLIP's weight names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from hypersd.utils.errors import gist

_RENAMED: Sequence[tuple[str, str]] = (
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
)
"""Map of OpenCLIP's weight names to transformers'."""

_PROJECTIONS: Mapping[str, str] = {"visual.proj": "visual_projection", "text_projection": "text_projection"}
"""Matrices that OpenCLIP multiplies from the right."""


def renamed(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenCLIP's weights with transformers' names; query, key and value of attention are split."""
    weights: dict[str, Tensor] = {}
    for name, value in published.items():
        if name in _PROJECTIONS:
            weights[f"{_PROJECTIONS[name]}.weight"] = value.T
            continue
        new = name
        for pattern, replacement in _RENAMED:
            new = re.sub(pattern, replacement, new)
        if ".attn.in_proj_" in new:
            block, kind = new.split(".attn.in_proj_")
            for part, rows in zip("qkv", value.chunk(3), strict=True):
                weights[f"{block}.self_attn.{part}_proj.{kind}"] = rows
        else:
            weights[new] = value
    return weights


def load_hps(file: Path, config: Path) -> CLIPModel:
    """Load HPSv2 from the published file; `config` is a folder with a configuration of the same shapes.

    Raises:
        OSError: the file is damaged, or is not HPSv2.
    """
    try:
        published = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
        model = CLIPModel(CLIPConfig.from_pretrained(config))
        weights = renamed(published)
        model.load_state_dict({name: weights[name].float() for name in model.state_dict()})
    except Exception as error:  # errors of a damaged pickle have no common base class
        raise OSError(f"{file} is damaged, or not HPSv2 ({gist(error)})") from error
    return model.eval()
