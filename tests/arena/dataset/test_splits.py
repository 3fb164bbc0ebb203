"""The same split of prompts for exports and reward models."""

from __future__ import annotations

import random
import string
from collections import Counter
from hashlib import sha256

import pytest

from hypersd.arena.dataset.splits import SPLITS, count_prompts, normalised, split_of
from hypersd.arena.service.studies import read_prompts
from hypersd.feedback.preferences.dataset import Preference, Preferences
from hypersd.utils.estimates import wilson

SETS = [read_prompts(name) for name in ("emoji-v1", "photographs-and-art-v1")]
SHIPPED = [prompt for prompts in SETS for prompt in prompts]


def invented(count: int) -> list[str]:
    """Prompts of random words, with capital letters and other scripts."""
    rng = random.Random(0)
    letters = string.ascii_letters + "éßİДж猫"
    return [
        " ".join("".join(rng.choices(letters, k=rng.randint(1, 8))) for _ in range(rng.randint(1, 12)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("prompts", [SHIPPED, invented(300)], ids=["shipped", "invented"])
def test_reward_models_and_exports_have_the_same_test_prompts(prompts: list[str]) -> None:
    examples = [Preference(prompt=prompt, pictures=("one", "other"), target=1.0) for prompt in prompts]
    preferences = Preferences(
        examples=tuple(examples), kind="human", self_agreement=wilson(0, 0), agreement=wilson(0, 0), cast=len(examples)
    )
    for split in SPLITS:
        assert {one.prompt for one in preferences.split(split)} == {text for text in prompts if split_of(text) == split}


def test_the_split_has_the_documented_shares() -> None:
    counts = Counter(split_of(prompt) for prompt in invented(20_000))
    for split, share in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
        assert counts[split] / 20_000 == pytest.approx(share, abs=0.01)
    for prompts in SETS:
        assert all(count_prompts(prompts).values()), "no part of a shipped set of prompts is empty"


@pytest.mark.parametrize("prompt", [*SHIPPED[:20], *invented(200)])
def test_case_and_spaces_do_not_change_the_split(prompt: str) -> None:
    for same in (prompt.upper(), prompt.lower(), prompt.title(), f"  {prompt}\n", "\u00a0 ".join(prompt.split())):
        assert normalised(same) == normalised(prompt)
        assert split_of(same) == split_of(prompt)


def test_no_published_test_prompt_is_used_for_training() -> None:
    """The first version of the split: 90, 5 and 5 %, of the prompt as it was written."""
    for prompt in SHIPPED:
        place = int.from_bytes(sha256(prompt.encode()).digest()[:4], "big") % 100
        if place >= 90 and normalised(prompt) == prompt:
            assert split_of(prompt) == "test"
