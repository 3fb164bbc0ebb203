"""The one split of prompts: exports are written by it, and reward models learn and are tested by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal, get_args
from unicodedata import normalize

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
VERSION = 2
"""It is part of what a dataset means, and stands in its card. Version 1 sent 90, 5 and 5 % of prompts there."""

_TRAIN, _VALIDATION = 70, 10
"""Percent of all prompts; the others are for tests. Even an arena of forty prompts has about eight to test on."""


def split_of(prompt: str) -> Split:
    """The part that all votes on a prompt belong to: 70 % of prompts train, 10 % validation, 20 % test.

    It is decided by a hash of the normalised prompt alone: neither a seed nor other prompts move it, and a prompt in
    other letter case or with other spaces is the same prompt. Never by vote: a prompt in train and in test would let a
    reward model remember its pictures. What version 1 called validation or test is test.
    """
    place = int.from_bytes(sha256(normalised(prompt).encode()).digest()[:4], "big") % 100
    return "train" if place < _TRAIN else "validation" if place < _TRAIN + _VALIDATION else "test"


def normalised(prompt: str) -> str:
    """A prompt without differences of case, spaces, and Unicode's compatibility forms (NFKC)."""
    return " ".join(normalize("NFKC", normalize("NFKC", prompt).casefold()).split())


def count_prompts(prompts: Iterable[str]) -> Mapping[str, int]:
    """The number of different prompts in each part."""
    counts = Counter(split_of(prompt) for prompt in {normalised(prompt) for prompt in prompts})
    return {split: counts[split] for split in SPLITS}
