"""Encoding of prompts by a pipeline's text encoders."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from hypersd.models.libraries import quietly
from hypersd.models.prompt_embeds import PromptEmbeds, unread


class PromptEncoder:
    """Text encoders of a pipeline on a device; the last 64 prompts are kept."""

    def __init__(self, pipeline: Any, device: str) -> None:
        self._pipeline, self._device = pipeline, device
        self.encode = lru_cache(maxsize=64)(self._encode)
        self._empty = lru_cache(maxsize=1)(self._no_prompt)

    def unread(self, prompt: str) -> str:
        """The end of a prompt that the text encoders do not read: from the first word on that is cut, or nothing."""
        tokenizers = (getattr(self._pipeline, name, None) for name in ("tokenizer", "tokenizer_2"))
        return max((unread(each, prompt) for each in tokenizers if each is not None), key=len, default="")

    def _encode(self, prompt: str, negative_prompt: str = "") -> PromptEmbeds:
        with torch.inference_mode():
            hidden, pooled = self._conditioning(prompt)[0]
            empty_hidden, empty_pooled = self._conditioning(negative_prompt)[0] if negative_prompt else self._empty()
            joined = None if pooled is None or empty_pooled is None else torch.cat([empty_pooled, pooled])
            return PromptEmbeds(torch.cat([empty_hidden, hidden]), joined, self.unread(prompt))

    def _conditioning(self, prompt: str, *, guided: bool = False) -> list[tuple[Tensor, Tensor | None]]:
        """Hidden states and pooled text of a prompt and, if `guided`, of what stands for no prompt."""
        with quietly():  # the libraries print a long prompt whole; `unread` reports its end
            hidden, empty, *pooled = self._pipeline.encode_prompt(
                prompt, device=self._device, num_images_per_prompt=1, do_classifier_free_guidance=guided
            )
        first, second = pooled or (None, None)
        return [(hidden, first), (empty, second)]

    def _no_prompt(self) -> tuple[Tensor, Tensor | None]:
        return self._conditioning("", guided=True)[1]
