"""What the arena says: the same in both languages, and what its prompts are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.texts import ARENA, CLOSED, FEEDBACK, LANGUAGES, RESULTS, SENTENCES, TABS, sentence
from hypersd.emoji.world import World
from hypersd.evaluate.prompts import held_out_prompts
from hypersd.sampling.request import check_prompt


@pytest.mark.parametrize("texts", [ARENA, CLOSED, FEEDBACK, RESULTS, TABS])
def test_every_text_is_there_in_both_languages_with_the_same_gaps(texts: dict[str, dict[str, str]]) -> None:
    assert set(texts) == set(LANGUAGES)
    assert list(texts["en"]) == list(texts["zh"])
    for key, english in texts["en"].items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", texts["zh"][key])), key


def test_every_text_is_used(root: Path) -> None:
    files = ("static/arena.js", "static/receipt.js", "pages/arena.py")
    used = "".join((root / "app" / name).read_text() for name in files)
    for key in ARENA["en"]:
        name = key.removesuffix("_one")
        assert f'"{name}"' in used or name.startswith("chose_") or f"{{side}}_{name.partition('_')[2]}" in used, key


def test_every_label_is_used(root: Path) -> None:
    used = "".join(
        (root / "app" / name).read_text()
        for name in ("build.py", *(f"pages/{tab}.py" for tab in ("arena", "feedback", "results")))
    )
    assert not [key for texts in (TABS, CLOSED, RESULTS, FEEDBACK) for key in texts["en"] if f'("{key}")' not in used]


def test_what_is_translated_is_what_is_said(root: Path) -> None:
    folders = (root / "app", root / "hypersd" / "arena", root / "hypersd" / "sampling")
    said = "".join(file.read_text() for folder in folders for file in folder.rglob("*.py") if file.name != "texts.py")
    for words in SENTENCES:
        assert f'"{words}"' in said, words


def test_a_message_becomes_a_sentence() -> None:
    assert sentence("vote first") == "Vote first."
    assert sentence("done!", "zh") == "Done!"
    known = next(iter(SENTENCES))
    assert sentence(known, "zh-TW,en;q=0.5") == SENTENCES[known]
    assert sentence(known, "en,zh;q=0.5").startswith(known[0].upper())


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
