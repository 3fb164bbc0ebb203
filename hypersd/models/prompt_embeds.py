"""A prompt as text encoders give it to the UNet, and the end of it that they do not read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hypersd.models.libraries import quietly

_LONGEST_WORD = 40
"""Characters; what is longer is no word that could be named as a whole."""


@dataclass(frozen=True, eq=False)
class PromptEmbeds:
    """A prompt for the UNet, after what guidance leads away from: `(2, tokens, channels)`, pooled `(2, C)`.

    That is the negative prompt, or what stands for no prompt.

    Args:
        unread: the end of the prompt, from the first word on that is not wholly in what the text encoders read.
    """

    hidden: Tensor
    pooled: Tensor | None
    unread: str = ""


def unread(tokenizer: Any, prompt: str) -> str:
    """The end of a prompt that is beyond what a tokenizer's model takes: from the first word on that is cut."""
    with quietly():  # it warns of prompts that are too long, which is what is asked here
        encoded = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    offsets: list[tuple[int, int]] = encoded["offset_mapping"]
    room = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()
    if len(offsets) <= room:
        return ""
    cut = offsets[room][0]
    start = next(word.start() for word in re.finditer(r"\S+", prompt) if word.end() > cut)
    # Some languages write without spaces: there a "word" may be the whole prompt.
    return prompt[start if cut - start < _LONGEST_WORD else cut :].rstrip()
