"""The Compare tab's handlers, on a tiny random family."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from app.pages.base_choice import base_choice
from app.pages.compare import model_picker, result_cards
from app.pages.compare.compare_tab import CompareHandlers
from app.pages.compare.layout import layout
from app.pages.control.control_layout import control_layout
from app.pages.control.control_tab import ControlHandlers
from app.pages.sweep.sweep_layout import layout as sweep_layout
from app.pages.sweep.sweep_tab import SweepHandlers
from app.services.draw_job import Job
from app.services.engines import EngineManager
from app.services.settings import AppSettings
from hypersd.models.family_parts import OtherBase
from hypersd.models.offered_bases import with_offered
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
    assert base_choice(handlers.engines.family("emoji"), elem_id="hs").choices == [("Own", ""), ("Noto", "noto")]
    assert not base_choice(FAMILIES["sdxl"], elem_id="hs").visible
    with pytest.raises(ValueError, match="emoji has no base 'oil'; choose from: noto"):
        handlers.engines.family_for(replace(request, base="oil"))


JUGGERNAUT = OtherBase(name="Juggernaut XL", family="sdxl", source="", repository="RunDiffusion/Juggernaut-XL-v9")


@pytest.fixture(scope="module")
def engines_with_bases() -> EngineManager:
    """Of the published families, of which nothing is on disk, with another base."""
    return EngineManager(with_offered(FAMILIES, [JUGGERNAUT]), "sdxl")


def test_models_that_do_not_run_on_a_base_are_closed(engines_with_bases: EngineManager) -> None:
    with gr.Blocks(analytics_enabled=False):
        handlers = CompareHandlers(engines_with_bases, layout(engines_with_bases, gr.HTML()))
    parts, panel = handlers.parts, handlers.parts.panels["sdxl"]
    tiles = {tile.spec.name: tile for tile in panel.tiles}
    form = {parts.family: "sdxl", parts.base: JUGGERNAUT.name, tiles["hyper"].steps: [1, 4]}
    assert parts.base.choices == [("Own", ""), ("Juggernaut XL", "Juggernaut XL")]
    shown = handlers.show_base(form)
    assert not shown[tiles["turbo"].chosen].interactive
    assert "Not on this base: it has a UNet of its own" in shown[tiles["turbo"].note]
    assert [steps for _, steps in shown[tiles["hyper"].steps].choices] == [2, 4, 8]
    assert shown[tiles["hyper"].steps].value == [4], "1 step is a UNet of its own"
    assert shown[tiles["base"].chosen].label == "Juggernaut XL"
    assert "unknown; read its own" in shown[tiles["base"].licence]
    own = handlers.show_base({**form, parts.base: ""})
    assert own[tiles["turbo"].chosen].interactive
    assert [steps for _, steps in own[tiles["hyper"].steps].choices] == [1, 2, 4, 8]
    assert "openrail" in own[tiles["base"].licence]
    for forged in ("RunDiffusion/Juggernaut-XL-v9", "../../etc/passwd", "http://169.254.169.254/base"):
        complaint = str(handlers.show_base({**form, parts.base: forged})[parts.message])
        assert "choose from: Juggernaut XL" in complaint
        query = {"prompt": "a red fox", "family": "sdxl", "models": "hyper:4", "base": forged}
        linked = handlers.restore(gr.Request(query_params=query))
        assert "choose from: Juggernaut XL" in str(linked[parts.message])


def test_sweeps_and_controlled_rows_are_drawn_on_a_base(engines_with_bases: EngineManager) -> None:
    with gr.Blocks(analytics_enabled=False):
        sweep = SweepHandlers(engines_with_bases, sweep_layout(engines_with_bases))
        control = ControlHandlers(engines_with_bases, control_layout(engines_with_bases))
    parts = sweep.parts
    shown = sweep.show_base("sdxl", JUGGERNAUT.name)
    assert "turbo" not in shown[parts.models].value
    assert control.parts.base.choices == parts.base.choices == [("Own", ""), ("Juggernaut XL", "Juggernaut XL")]
    assert sweep.show_family("sd15")[parts.base].visible is False
    form = {parts.prompt: "a fox", parts.seed: "7", parts.family: "sdxl", parts.job: None, parts.steps: [2, 25]}
    form |= {parts.models: ["base", "hyper"]}
    job = sweep.begin({**form, parts.base: JUGGERNAUT.name})[parts.job]
    assert (job.request.base, job.then.base, job.family.repository) == (*[JUGGERNAUT.name] * 2, JUGGERNAUT.repository)
    refused = str(sweep.begin({**form, parts.base: JUGGERNAUT.repository})[parts.message])
    assert "choose from: Juggernaut XL" in refused


def test_variants_of_a_model_are_ticked_by_those_who_want_them() -> None:
    with gr.Blocks():
        _, tiles = model_picker.models(FAMILIES["sdxl"], visible=True)
    closed = [tile.spec.name for tile in tiles if not tile.chosen.value]
    assert closed == ["hyper-unified", "hyper-cfg"]
