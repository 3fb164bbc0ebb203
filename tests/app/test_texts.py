"""The arena's texts, and the prompts that ship."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.texts import ARENA, sentence
from hypersd.emoji.prompts import held_out_prompts
from hypersd.emoji.world import World
from hypersd.sampling.request import check_prompt


def test_every_text_is_used(root: Path) -> None:
    files = ("static/arena.js", "static/receipt.js", "templates/arena.html", "pages/arena_tab.py")
    used = "".join((root / "app" / file).read_text() for file in files)
    for key in ARENA:
        name = key.removesuffix("_one")
        assert re.search(rf'["\'.]{name}\b', used) or name.startswith("chose_") or name.endswith("_picture"), key


def test_a_message_becomes_a_sentence() -> None:
    assert sentence("vote first") == "Vote first."
    assert sentence("done!") == "Done!"


@pytest.mark.parametrize("name", ["emoji-v1", "photographs-and-art-v1"])
def test_a_set_of_prompts_is_large_and_every_prompt_can_be_drawn(root: Path, name: str) -> None:
    prompts = (root / "assets" / "prompts" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert len(prompts) >= 120
    assert len(set(prompts)) == len(prompts)
    assert [check_prompt(prompt) for prompt in prompts] == prompts


def test_the_emoji_prompts_are_held_out(root: Path) -> None:
    prompts = (root / "assets" / "prompts" / "emoji-v1.txt").read_text(encoding="utf-8").splitlines()
    drawn = held_out_prompts(World.load(root / "assets" / "emoji-xl"), 400, seed=2026)
    assert prompts == list(dict.fromkeys(drawn))[: len(prompts)]
