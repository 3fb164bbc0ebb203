"""A prompt as the text encoders pass it to the UNet, and the end of it that they cut off."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hypersd.models.libraries import quietly

_LONGEST_WORD = 40
"""Characters; anything longer is not reported as a whole word."""


@dataclass(frozen=True, eq=False)
class PromptEmbeds:
    """Embeddings of the negative (or empty) prompt and of the prompt, in this order.

    Args:
        hidden: `(2, tokens, channels)`.
        pooled: `(2, C)`; None for a family without pooled embeddings.
        unread: the end of the prompt that the text encoders cut off, from the first incomplete word on.
    """

    hidden: Tensor
    pooled: Tensor | None
    unread: str = ""


def unread(tokenizer: Any, prompt: str) -> str:
    """The end of a prompt beyond the length limit of a tokenizer, from the first incomplete word on."""
    with quietly():  # it would warn about long prompts; this function reports them
        encoded = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    offsets: list[tuple[int, int]] = encoded["offset_mapping"]
    room = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()
    if len(offsets) <= room:
        return ""
    cut = offsets[room][0]
    start = next(word.start() for word in re.finditer(r"\S+", prompt) if word.end() > cut)
    # Some languages write without spaces: there a "word" may be the whole prompt.
    return prompt[start if cut - start < _LONGEST_WORD else cut :].rstrip()
