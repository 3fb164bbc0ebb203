from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from app.pages.compare import result_cards
from app.pages.compare.model_picker import _SCENES
from hypersd.emoji.captions import read
from hypersd.emoji.world import World
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES
from hypersd.sampling.request import Generation, Preview, Request, Run

FAMILY = FAMILIES["emoji"]
REQUEST = Request(
    prompt="a <b>cat</b>", seed=7, family="emoji", runs=(Run(model="base", steps=25), Run(model="hyper", steps=1))
)
PICTURE = Image.new("RGB", (8, 8), "red")


def generation(model: str, steps: int, seconds: float, **changed: object) -> Generation:
    known = {"calls": steps, "guidance_scale": 0.0, "image": PICTURE, "seed": REQUEST.seed, **changed}
    return Generation(model=model, steps=steps, seconds=seconds, **known)


def board(*events: Generation | Preview, running: bool = True) -> str:
    shown = {result_cards.key_of(event): result_cards.Shown.of(event) for event in events}
    return result_cards.board(FAMILY, REQUEST, shown, running=running)


def test_cards_are_sorted_by_cost_and_show_the_running_model() -> None:
    html = board()
    assert html.index('data-model="hyper"') < html.index('data-model="base"')
    assert html.index("Drawing") < html.index("Next in line")
    assert "Next in line" not in board(running=False)


def test_visitors_text_is_escaped() -> None:
    assert "<b>cat" not in board()


def test_the_speed_up_is_against_the_base() -> None:
    html = board(generation("hyper", 1, 0.1), generation("base", 25, 2.0))
    assert "20.0\N{MULTIPLICATION SIGN} faster" in html
    assert "reference" in html
    assert "faster" not in board(generation("hyper", 1, 0.1))
    slow = board(generation("hyper", 1, 0.5), generation("base", 25, 0.2))
    assert "2.5\N{MULTIPLICATION SIGN} slower" in slow
    assert "faster" not in slow


def test_the_base_is_measured_at_its_default_steps() -> None:
    default, longer = generation("base", 25, 2.0), generation("base", 50, 4.0)
    assert result_cards.reference(FAMILY, [longer, default]) is default
    assert result_cards.reference(FAMILY, [longer]) is longer
    assert result_cards.reference(FAMILY, [generation("base", 25, 0.0, image=None, error="no")]) is None


def test_a_preview_shows_its_progress_and_a_failure_its_reason() -> None:
    assert "step 8 of 25" in board(Preview(model="base", steps=25, step=8, image=PICTURE, seed=REQUEST.seed))
    assert "The file is missing" in board(generation("base", 25, 0.0, image=None, error="the file is missing"))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_status_line_names_family_device_precision_and_source_of_weights(name: str) -> None:
    family = FAMILIES[name]
    machine = Machine(device="cpu", precision="float32", memory_gb=1.0, offline=True, cache=Path())
    line = result_cards.status(family, machine, "ready")
    for word in (family.title, "CPU", "float32", "ready"):
        assert word in line
    assert ("re-implementations at toy scale" in line) == family.is_reimplementation


def test_unknown_words_are_named_and_only_where_words_are_limited() -> None:
    assert "dragon" in result_cards.unknown_words(FAMILY, "a big dragon on a blue background")
    assert result_cards.unknown_words(FAMILY, "a big cat on a blue background") == ""
    assert result_cards.unknown_words(FAMILIES["sdxl"], "a dragon") == ""


@pytest.mark.parametrize("prompt", _SCENES)
def test_the_examples_are_within_the_family_s_words(prompt: str) -> None:
    assert FAMILY.folder is not None
    assert read(World.load(FAMILY.folder), prompt).unknown == ()
