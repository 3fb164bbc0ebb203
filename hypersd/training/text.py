"""The frozen text encoders of a model in training."""

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
from hypersd.training.text_cache import CaptionEmbeddings

CACHE_BYTES = 1 << 30
"""Size of the cache of encoded prompts on the device: 1,700 of SDXL's, each of 77 by 2048 numbers."""


@dataclass(frozen=True, eq=False)
class TextEncoders:
    """Text encoders with their tokenizers, which compute UNet conditioning; recent prompts are cached.

    Args:
        encoders: two of SDXL's shape, or one of SD1.5's.
        pixels: the side of the pictures.
        zeros_for_empty: encode the empty prompt as zeros, as in SDXL's training.
        captions: precomputed embeddings of known captions.
    """

    tokenizers: tuple[CLIPTokenizer, ...]
    encoders: tuple[CLIPTextModel | CLIPTextModelWithProjection, ...]
    pixels: int
    zeros_for_empty: bool = False
    captions: CaptionEmbeddings | None = None
    encode: Callable[[str], Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for encoder in self.encoders:
            encoder.requires_grad_(False).eval()
        kept = max(1, CACHE_BYTES // (torch.float32.itemsize * self.channels))
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
        """The text encoders of a loaded pipeline."""
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
        """Channels of the text sequence for the UNet's cross-attention."""
        return sum(encoder.config.hidden_size for encoder in self.encoders)

    @property
    def pooled_dim(self) -> int:
        """Channels of the pooled text: those of the last encoder's projection, if it has one."""
        encoder = self.encoders[-1]
        config: Any = encoder.config
        projected = isinstance(encoder, CLIPTextModelWithProjection)
        return int(config.projection_dim if projected else config.hidden_size)

    @property
    def channels(self) -> int:
        """Length of a prompt's embedding: its hidden states, then its pooled text."""
        tokens: Any = self.tokenizers[0].model_max_length
        return int(tokens) * self.hidden_dim + self.pooled_dim

    def conditioning(self, prompts: Sequence[str], sizes: Tensor | None = None) -> dict[str, Any]:
        """Keyword arguments for a UNet: hidden states; for SDXL's shape also pooled text and time ids.

        Args:
            prompts: B prompts.
            sizes: `(B, 4)` of their pictures (see `CaptionedData.size_conditioning`); None for pictures that were
                neither scaled nor cropped.
        """
        hidden, pooled = self._split(prompts)
        return unet_conditioning(hidden, pooled if len(self.encoders) > 1 else None, self.pixels, sizes=sizes)

    def pooled(self, prompts: Sequence[str]) -> Tensor:
        """The pooled text, `(B, pooled_dim)`."""
        return self._split(prompts)[1]

    def _split(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Hidden states `(B, tokens, hidden_dim)` and pooled text `(B, pooled_dim)`, cached or computed."""
        device = self.encoders[0].device
        known = self.captions.read(prompts) if self.captions else {}
        rows = torch.stack([known[prompt].to(device) if prompt in known else self.encode(prompt) for prompt in prompts])
        hidden, pooled = rows[:, : -self.pooled_dim], rows[:, -self.pooled_dim :]
        return hidden.unflatten(1, (-1, self.hidden_dim)), pooled

    def _encode(self, prompt: str) -> Tensor:
        """The embedding of one prompt.

        Not in a batch: rounding would depend on the other prompts, and a resumed training would differ.
        """
        return self.embed([prompt])[0]

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Compute embeddings of prompts, `(B, channels)`: hidden states, then the last encoder's pooled text.

        SDXL uses the second-to-last hidden states of both encoders, SD1.5 the last of its encoder.
        """
        hidden: list[Tensor] = []
        pooled = torch.empty(0)
        for tokenizer, encoder in zip(self.tokenizers, self.encoders, strict=True):
            tokens = tokenizer(list(prompts), padding="max_length", truncation=True, return_tensors="pt").input_ids
            with half_precision(encoder.device, "no"):
                output: Any = encoder(tokens.to(encoder.device), output_hidden_states=True)
            hidden.append(output.hidden_states[-2] if len(self.encoders) > 1 else output.last_hidden_state)
            projected = isinstance(encoder, CLIPTextModelWithProjection)
            pooled = output.text_embeds if projected else output.pooler_output
        rows = torch.cat([torch.cat(hidden, dim=-1).flatten(1), pooled], dim=1)
        if self.zeros_for_empty:
            rows[[index for index, prompt in enumerate(prompts) if not prompt]] = 0
        return rows
