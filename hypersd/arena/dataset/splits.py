"""The split of prompts into train, validation and test, for exports and for reward models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal, get_args
from unicodedata import normalize

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
VERSION = 2
"""Version of the split, written into each dataset card. Version 1 split prompts 90, 5 and 5 %."""

_TRAIN, _VALIDATION = 70, 10
"""Percent of all prompts; the rest is for tests. An arena of forty prompts thus has about eight test prompts."""


def split_of(prompt: str) -> Split:
    """The split of all votes on a prompt: 70 % of prompts are train, 10 % validation, 20 % test.

    It depends only on a hash of the normalised prompt: no seed and no other prompt changes it, and letter case and
    spaces are ignored. It is never by vote: a prompt in both train and test would let a reward model memorise its
    pictures. Prompts in validation or test of version 1 are in test.
    """
    place = int.from_bytes(sha256(normalised(prompt).encode()).digest()[:4], "big") % 100
    return "train" if place < _TRAIN else "validation" if place < _TRAIN + _VALIDATION else "test"


def normalised(prompt: str) -> str:
    """A prompt with normalised letter case, spaces, and Unicode compatibility forms (NFKC)."""
    return " ".join(normalize("NFKC", normalize("NFKC", prompt).casefold()).split())


def count_prompts(prompts: Iterable[str]) -> Mapping[str, int]:
    """The number of different prompts in each part."""
    counts = Counter(split_of(prompt) for prompt in {normalised(prompt) for prompt in prompts})
    return {split: counts[split] for split in SPLITS}
