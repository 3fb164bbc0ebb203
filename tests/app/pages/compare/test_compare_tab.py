"""The Compare tab's handlers, on a tiny random family."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from app.pages.compare import result_cards
from app.pages.compare.compare_tab import CompareHandlers
from app.pages.compare.layout import base_choice, layout
from app.services.draw_job import Job
from app.services.engines import EngineManager
from app.services.settings import AppSettings
from hypersd.models.registry import FAMILIES
from hypersd.sampling.request import Generation, Request, Run


@pytest.fixture(scope="module")
def handlers(emoji_folder: Path) -> Iterator[CompareHandlers]:
    engines = EngineManager(AppSettings(emoji=emoji_folder).families(), "emoji")
    with gr.Blocks(analytics_enabled=False):
        yield CompareHandlers(engines, layout(engines, gr.HTML()))


def test_what_was_said_ahead_stays_beside_what_is_known_later(handlers: CompareHandlers) -> None:
    prompt = "a big cat on a blue background"  # more letters than this family reads
    request = Request(prompt=prompt, seed=1, family="emoji", runs=(Run(model="hyper", steps=1),))
    handlers.engines.wake()
    family = handlers.engines.family_for(request)
    updates = handlers.draw(Job(request, family, ahead="This takes about 3 minutes on the CPU.", previews=False))
    messages = [str(update[handlers.parts.message]) for update in updates if handlers.parts.message in update]
    assert len(messages) == 2, "with the picture, and at the end"
    for message in messages:
        assert message.count("This takes about 3 minutes on the CPU.") == 1
        assert "not read" in message


def test_a_comparison_is_drawn_on_the_base_that_is_chosen(handlers: CompareHandlers) -> None:
    parts, runs = handlers.parts, (Run(model="hyper", steps=1),)
    handlers.engines.wake()
    drawn: dict[str, Generation] = {}
    for base in ("", "noto"):
        request = Request(prompt="a cat", seed=1, family="emoji", runs=runs, base=base)
        family = handlers.engines.family_for(request)
        *_, last = handlers.draw(Job(request, family, previews=False))
        (drawn[base],) = last[parts.drawn]
        texts = result_cards.texts(family, request, drawn[base])
        styles = json.loads(texts["hypersd"]).get("styles", ())
        assert [style["file"] for style in styles] == [f"styles/{base}/style.safetensors"] * bool(base)
        assert (f"base={base}" in str(last[parts.link])) == bool(base)
    assert np.any(np.asarray(drawn[""].image) != np.asarray(drawn["noto"].image))
    assert base_choice(handlers.engines.family("emoji")).choices == [("Own", ""), ("Noto", "noto")]
    assert not base_choice(FAMILIES["sdxl"]).visible
    with pytest.raises(ValueError, match="emoji has no base 'oil'; choose from: noto"):
        handlers.engines.family_for(replace(request, base="oil"))
