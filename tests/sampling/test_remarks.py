"""Prompts that are not drawn as they were written."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hypersd.models.engine import Engine
from hypersd.models.registry import FAMILIES
from hypersd.models.specs import Capability, Family
from hypersd.sampling.comparison import compare
from hypersd.sampling.remarks import unread_remark, word_remarks
from hypersd.sampling.request import Generation, Request, Run
from tests import families

EMOJI = FAMILIES["emoji"]


def test_unknown_words_are_named_and_only_where_words_are_limited() -> None:
    (said,) = word_remarks(EMOJI, "a big dragon on a blue background")
    assert "never seen “dragon”, so it will guess. It knows 66 things, from cat, dog and rabbit to" in said
    assert word_remarks(EMOJI, "a big cat on a blue background") == ()
    assert word_remarks(FAMILIES["sdxl"], "a dragon") == ()


def test_words_that_cannot_be_drawn_are_named() -> None:
    (said,) = word_remarks(EMOJI, "a BIG, BLUE cat on a white background!")
    assert "Not drawn: “blue”." in said


@pytest.fixture(params=["emoji", "sdxl", "sd15"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    family: Family = request.getfixturevalue(request.param)
    cache = tmp_path if request.param == "emoji" else request.getfixturevalue("cache")
    return Engine(family, families.machine(cache))


def test_what_the_text_encoders_do_not_read_is_told_with_the_result(engine: Engine) -> None:
    """The tests' tokenizers read a letter a token: 22 or 75 of them, beside begin and end."""
    room = 22 if engine.family.has(Capability.SCENES) else 75
    assert engine.prompts.unread("x" * room) == ""
    assert engine.prompts.unread(f"{'x' * (room - 3)} abc") == ""
    assert engine.prompts.unread(f"{'x' * (room - 3)} abcd  efg ") == "abcd  efg", "no word is told half"
    assert engine.prompts.unread("猫" * (2 * room)), "a script without spaces"
    prompt = f"{'x' * room} a cat"
    asked = Request(prompt=prompt, seed=1, family=engine.family.name, runs=(Run(model="base", steps=1),))
    (result,) = (event for event in compare(asked, engine) if isinstance(event, Generation))
    assert result.error is None
    assert result.unread == "a cat"
    assert result.warnings == (unread_remark("a cat"),)
    assert "not read: “a cat”" in result.warnings[0]


def test_the_libraries_print_nothing_of_a_long_prompt(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = lines.append  # type: ignore[method-assign]
    engine.load()
    for library in ("transformers", "diffusers"):
        monkeypatch.setattr(logging.getLogger(library), "handlers", [handler])
    engine.prompts.encode("very " * 100)
    assert not [line.getMessage() for line in lines]


def test_a_long_end_is_quoted_in_part() -> None:
    said = unread_remark("word " * 400)
    assert said.endswith("word \N{HORIZONTAL ELLIPSIS}”.")
    assert len(said) < 250
    assert unread_remark("") == ""
