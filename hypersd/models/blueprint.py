"""Blueprints: base models as their configurations describe them, without weights, on PyTorch's meta device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import torch.nn.functional as F
import transformers
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch.overrides import TorchFunctionMode

from hypersd.models.libraries import quietly
from hypersd.resources import assets_folder
from hypersd.utils.model_folders import INDEX
from hypersd.utils.readers import read_object

META = torch.device("meta")
_CONFIG = "the configuration of a model"
_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A base model of SDXL's or SD1.5's shape; its tensors have shapes but no data.

    Args:
        folder: of the configurations and the family's other files.
        configs: of its parts, by name; SD1.5's shape has no `text_encoder_2`.
        zeros_for_empty: see `hypersd.training.text.TextEncoders`.
        plain_attention: attention as it is computed on a CPU, not fused.
    """

    folder: Path
    configs: Mapping[str, Mapping[str, Any]]
    zeros_for_empty: bool
    plain_attention: bool = False

    @classmethod
    def of_folder(cls, folder: Path, *, plain_attention: bool = False) -> Blueprint:
        """The pipeline in a folder, of which only the configurations need be there.

        Raises:
            OSError: one is missing.
            ValueError: one is damaged.
        """
        index = read_object(folder / INDEX, "the index of a diffusers pipeline", *_PARTS[:3])
        configs = {name: read_object(folder / name / "config.json", _CONFIG) for name in _PARTS if name in index}
        return cls(folder, configs, bool(index.get("force_zeros_for_empty_prompt", False)), plain_attention)

    @classmethod
    def of_family(cls, name: str, *, plain_attention: bool = False) -> Blueprint:
        """A published family, by the architecture that this package states for it.

        Raises:
            FileNotFoundError: it states none.
        """
        folder = assets_folder() / "architectures"
        configs = read_object(folder / f"{name}.json", "the architecture of a family", *_PARTS[:3])
        return cls(folder, configs, "text_encoder_2" in configs, plain_attention)

    def pipeline(self, dtype: torch.dtype) -> DiffusionPipeline:
        """A pipeline on the meta device; only its noise schedule has numbers."""
        parts: dict[str, Any] = {"unet": self.unet(dtype), "scheduler": _scheduler()}
        vae = self.configs["vae"]
        with META, quietly():
            parts["vae"] = getattr(diffusers, vae["_class_name"]).from_config(vae).to(dtype)
            for ending in ("", "_2") if "text_encoder_2" in self.configs else ("",):
                config = transformers.CLIPTextConfig(**self.configs[f"text_encoder{ending}"])
                architecture = getattr(transformers, str((config.architectures or ["CLIPTextModel"])[0]))
                parts[f"text_encoder{ending}"] = architecture(config).to(dtype)
                parts[f"tokenizer{ending}"] = _tokenizer(int(config.max_position_embeddings))
        if "text_encoder_2" in self.configs:
            zeros = self.zeros_for_empty
            return StableDiffusionXLPipeline(**parts, force_zeros_for_empty_prompt=zeros, add_watermarker=False)
        optional: dict[str, Any] = {"safety_checker": None, "feature_extractor": None}
        return StableDiffusionPipeline(**parts, **optional, requires_safety_checker=False)

    def unet(self, dtype: torch.dtype) -> UNet2DConditionModel:
        """A UNet on the meta device."""
        with META, quietly():
            unet: Any = UNet2DConditionModel.from_config(dict(self.configs["unet"]))
            unet.set_attn_processor(AttnProcessor() if self.plain_attention else FusedAttnProcessor())
            return unet.to(dtype)


def _scheduler() -> DDIMScheduler:
    """A schedule of Stable Diffusion's length; its values do not affect shapes."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def _tokenizer(length: int) -> transformers.CLIPTokenizer:
    """A tokenizer without vocabulary: the shape does not depend on the text."""
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=length)


class FusedAttnProcessor(AttnProcessor2_0):
    """Attention on the meta device as accelerators compute it.

    There PyTorch's own attention stores a value for each pair of tokens, which takes far more memory.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Attend."""
        with _FusedAttention():
            return super().__call__(*args, **kwargs)


class _FusedAttention(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func is F.scaled_dot_product_attention:
            fused = torch.ops.aten._scaled_dot_product_efficient_attention  # noqa: SLF001
            return fused(*args, given.get("attn_mask"), compute_log_sumexp=True)[0]
        return func(*args, **given)
