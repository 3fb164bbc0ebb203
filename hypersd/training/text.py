"""The frozen text side of an SDXL-shaped model, as training needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer


@dataclass(frozen=True, eq=False)
class TextEncoders:
    """Both text encoders with their tokenizers; prompts in, UNet conditioning out, each prompt encoded once."""

    tokenizers: tuple[CLIPTokenizer, CLIPTokenizer]
    encoders: tuple[CLIPTextModel, CLIPTextModelWithProjection]
    pixels: int

    @classmethod
    def load(cls, folder: Path, pixels: int) -> TextEncoders:
        """Read the encoders of the pipeline in `folder`; `pixels` is the side of the pictures.

        Raises:
            OSError: a part is missing.
        """
        tokenizers = tuple(CLIPTokenizer.from_pretrained(folder / name) for name in ("tokenizer", "tokenizer_2"))
        first = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        second = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", dtype=torch.float32)
        for encoder in (first, second):
            encoder.requires_grad_(False).eval()
        return cls((tokenizers[0], tokenizers[1]), (first, second), pixels)

    @property
    def hidden_dim(self) -> int:
        """Channels of the sequence that the UNet attends to."""
        return sum(encoder.config.hidden_size for encoder in self.encoders)

    @property
    def pooled_dim(self) -> int:
        """Channels of the pooled embedding."""
        config: Any = self.encoders[1].config
        return int(config.projection_dim)

    def conditioning(self, prompts: Sequence[str]) -> dict[str, Any]:
        """Keyword arguments for an SDXL UNet: penultimate hidden states of both encoders, pooled text, time ids."""
        encoded = [self._encode(prompt) for prompt in prompts]
        device = self.encoders[0].device
        side = float(self.pixels)
        sizes = torch.tensor([side, side, 0, 0, side, side], device=device).expand(len(encoded), -1)
        pooled = torch.stack([pooled for _, pooled in encoded])
        return {
            "encoder_hidden_states": torch.stack([hidden for hidden, _ in encoded]),
            "added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes},
        }

    @lru_cache(maxsize=65536)  # noqa: B019 - lives as long as a training
    def _encode(self, prompt: str) -> tuple[Tensor, Tensor]:
        hidden: list[Tensor] = []
        pooled = torch.empty(0)
        for tokenizer, encoder in zip(self.tokenizers, self.encoders, strict=True):
            tokens = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt").input_ids
            with torch.no_grad(), torch.autocast(encoder.device.type, enabled=False):
                output = encoder(tokens.to(encoder.device), output_hidden_states=True)
            hidden.append(output.hidden_states[-2][0])
            pooled = output[0][0]
        return torch.cat(hidden, dim=-1), pooled
