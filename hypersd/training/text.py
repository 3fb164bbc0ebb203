"""The frozen text side of a model, as training needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from hypersd.models.conditioning import unet_conditioning
from hypersd.training.text_cache import CaptionEmbeddings, RecentEmbeddings


@dataclass(frozen=True, eq=False)
class TextEncoders:
    """Text encoders with their tokenizers; prompts in, UNet conditioning out, each prompt encoded once.

    Args:
        encoders: two of SDXL's shape, or one of SD1.5's.
        pixels: the side of the pictures.
        zeros_for_empty: the empty prompt is zeros, not what the encoders make of it: SDXL was trained so.
        captions: embeddings that were computed before.
        recent: embeddings of other prompts.
    """

    tokenizers: tuple[CLIPTokenizer, ...]
    encoders: tuple[CLIPTextModel | CLIPTextModelWithProjection, ...]
    pixels: int
    zeros_for_empty: bool = False
    captions: CaptionEmbeddings | None = None
    recent: RecentEmbeddings = field(default_factory=RecentEmbeddings, repr=False)

    def __post_init__(self) -> None:
        for encoder in self.encoders:
            encoder.requires_grad_(False).eval()

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
        """Channels of the pooled embedding of SDXL's second encoder."""
        config: Any = self.encoders[1].config
        return int(config.projection_dim)

    @property
    def channels(self) -> int:
        """Length of a prompt's embedding: all that the UNet gets of it, in one row."""
        return self._tokens * self.hidden_dim + (self.pooled_dim if len(self.encoders) > 1 else 0)

    @property
    def _tokens(self) -> int:
        return int(self.tokenizers[0].model_max_length)

    def conditioning(self, prompts: Sequence[str], sizes: Tensor | None = None) -> dict[str, Any]:
        """Keyword arguments for a UNet: what it attends to; of SDXL's shape, pooled text and time ids too.

        Args:
            prompts: B of them.
            sizes: `(B, 4)` of the pictures that they go with (see `CaptionedData.size_conditioning`); None for
                pictures that were never scaled or cropped.
        """
        rows = torch.stack(self._kept(prompts))
        hidden, pooled = rows.split([self._tokens * self.hidden_dim, rows.shape[1] - self._tokens * self.hidden_dim], 1)
        shaped = hidden.view(len(rows), self._tokens, self.hidden_dim)
        return unet_conditioning(shaped, pooled if len(self.encoders) > 1 else None, self.pixels, sizes)

    def _kept(self, prompts: Sequence[str]) -> list[Tensor]:
        """The embeddings of prompts, `(channels,)` each: from disk, from memory, or computed now."""
        device = self.encoders[0].device
        known = self.captions.read(prompts) if self.captions else {}
        rows: list[Tensor] = []
        for prompt in prompts:
            row = known[prompt].to(device) if prompt in known else self.recent.get(prompt)
            if row is None:
                # Alone: in a batch its last digits would depend on the others, and a resumed run would be another one.
                row = self.embed([prompt])[0]
                self.recent.add(prompt, row)
            rows.append(row)
        return rows

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Compute the embeddings of prompts, `(B, channels)`: hidden states, then the last encoder's pooled text.

        SDXL attends to both encoders' last states but one, SD1.5 to its encoder's last.
        """
        hidden: list[Tensor] = []
        pooled: list[Tensor] = []
        for tokenizer, encoder in zip(self.tokenizers, self.encoders, strict=True):
            tokens = tokenizer(list(prompts), padding="max_length", truncation=True, return_tensors="pt").input_ids
            with torch.autocast(encoder.device.type, enabled=False):
                output: Any = encoder(tokens.to(encoder.device), output_hidden_states=True)
            hidden.append(output.hidden_states[-2] if len(self.encoders) > 1 else output.last_hidden_state)
            pooled = [output[0]] if len(self.encoders) > 1 else []
        rows = torch.cat([torch.cat(hidden, dim=-1).flatten(1), *pooled], dim=1)
        if self.zeros_for_empty:
            rows[[index for index, prompt in enumerate(prompts) if not prompt]] = 0
        return rows
