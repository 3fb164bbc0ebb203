"""The frozen text side of a model, as training needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from hypersd.models.conditioning import unet_conditioning
from hypersd.training.precision import half_precision

CACHE_BYTES = 1 << 30
"""Room for encoded prompts, on the device: 1,700 of SDXL's, of which each is 77 by 2048 numbers."""


@dataclass(frozen=True, eq=False)
class TextEncoders:
    """Text encoders with their tokenizers; prompts in, UNet conditioning out; recent prompts are kept encoded.

    Args:
        encoders: two of SDXL's shape, or one of SD1.5's.
        pixels: the side of the pictures.
        zeros_for_empty: the empty prompt is zeros, not what the encoders make of it: SDXL was trained so.
    """

    tokenizers: tuple[CLIPTokenizer, ...]
    encoders: tuple[CLIPTextModel | CLIPTextModelWithProjection, ...]
    pixels: int
    zeros_for_empty: bool = False
    encode: Callable[[str], tuple[Tensor, Tensor]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for encoder in self.encoders:
            encoder.requires_grad_(False).eval()
        tokens = self.encoders[0].config.max_position_embeddings
        kept = max(1, CACHE_BYTES // (torch.float32.itemsize * tokens * self.hidden_dim))
        object.__setattr__(self, "encode", lru_cache(maxsize=kept)(self._encode))

    @classmethod
    def load(cls, folder: Path, pixels: int, device: torch.device) -> TextEncoders:
        """Read the encoders of the SDXL pipeline in `folder`; `pixels` is the side of the pictures.

        Raises:
            OSError: a part is missing.
        """
        tokenizers = tuple(CLIPTokenizer.from_pretrained(folder / name) for name in ("tokenizer", "tokenizer_2"))
        first = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        second = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", dtype=torch.float32)
        for encoder in (first, second):
            nn.Module.to(encoder, device)
        return cls(tokenizers, (first, second), pixels)

    @classmethod
    def of(cls, pipeline: DiffusionPipeline, pixels: int) -> TextEncoders:
        """Those of a loaded pipeline."""
        parts: dict[str, Any] = pipeline.components
        endings = [ending for ending in ("", "_2") if f"text_encoder{ending}" in parts]
        return cls(
            tuple(parts[f"tokenizer{ending}"] for ending in endings),
            tuple(parts[f"text_encoder{ending}"] for ending in endings),
            pixels,
            zeros_for_empty=bool(getattr(pipeline.config, "force_zeros_for_empty_prompt", False)),
        )

    @property
    def hidden_dim(self) -> int:
        """Channels of the sequence that the UNet attends to."""
        return sum(encoder.config.hidden_size for encoder in self.encoders)

    @property
    def pooled_dim(self) -> int:
        """Channels of the pooled text: of the last encoder's projection, if it has one."""
        encoder = self.encoders[-1]
        config: Any = encoder.config
        projected = isinstance(encoder, CLIPTextModelWithProjection)
        return int(config.projection_dim if projected else config.hidden_size)

    def conditioning(self, prompts: Sequence[str]) -> dict[str, Any]:
        """Keyword arguments for a UNet: what it attends to; of SDXL's shape, pooled text and time ids too."""
        encoded = [self.encode(prompt) for prompt in prompts]
        hidden = torch.stack([hidden for hidden, _ in encoded])
        pooled = self.pooled(prompts) if len(self.encoders) > 1 else None
        return unet_conditioning(hidden, pooled, self.pixels)

    def pooled(self, prompts: Sequence[str]) -> Tensor:
        """The pooled text, `(B, pooled_dim)`."""
        return torch.stack([self.encode(prompt)[1] for prompt in prompts])

    def _encode(self, prompt: str) -> tuple[Tensor, Tensor]:
        """Hidden states `(tokens, channels)` and the last encoder's pooled text.

        SDXL attends to both encoders' last states but one, SD1.5 to its encoder's last.
        """
        hidden: list[Tensor] = []
        pooled = torch.empty(0)
        for tokenizer, encoder in zip(self.tokenizers, self.encoders, strict=True):
            tokens = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt").input_ids
            with torch.no_grad(), half_precision(encoder.device, "no"):
                output: Any = encoder(tokens.to(encoder.device), output_hidden_states=True)
            hidden.append(output.hidden_states[-2][0] if len(self.encoders) > 1 else output.last_hidden_state[0])
            projected = isinstance(encoder, CLIPTextModelWithProjection)
            pooled = (output.text_embeds if projected else output.pooler_output)[0]
        sequence = torch.cat(hidden, dim=-1)
        if self.zeros_for_empty and not prompt:
            return torch.zeros_like(sequence), torch.zeros_like(pooled)
        return sequence, pooled
