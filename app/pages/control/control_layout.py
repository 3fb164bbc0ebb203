"""Layout of the Control tab: the canvas beside what is asked for, and the row of pictures below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.pages.base_choice import base_choice
from app.pages.control.canvas import canvas
from app.services.engines import EngineManager
from hypersd.models.control_specs import ControlMode
from hypersd.models.specs import Capability, Family
from hypersd.sampling.request import MAX_CONTROL

BASE_ID = "hs-control-base"
EMPTY = """
<section class="hs-board hs-empty" aria-label="Controlled pictures"><p>Draw on the canvas: the pictures follow the
strokes. Or put a picture on it: they follow its lines.</p></section>
"""
_MODES = [("Canny: fine edges", ControlMode.CANNY.value), ("Scribble: coarse contours", ControlMode.SCRIBBLE.value)]


@dataclass(frozen=True, eq=False, kw_only=True)
class ControlComponents:
    """The tab's components."""

    canvas: gr.HTML
    mode: gr.Radio
    family: gr.Radio
    base: gr.Radio
    prompt: gr.Textbox
    seed: gr.Textbox
    scale: gr.Slider
    eta: gr.Textbox
    run: gr.Button
    stop: gr.Button
    message: gr.HTML
    board: gr.HTML
    job: gr.State
    shown: gr.State

    @property
    def inputs(self) -> set[Any]:
        """Components that a row is made of."""
        asked = {self.canvas, self.mode, self.family, self.base, self.prompt, self.seed, self.scale, self.eta}
        return {*asked, self.job, self.shown}

    @property
    def results(self) -> list[Any]:
        """Components that a row changes."""
        return [self.stop, self.message, self.board, self.job, self.shown]


def control_layout(engines: EngineManager) -> ControlComponents:
    """Lay out the tab."""
    first = engines.family(engines.first)
    with gr.Row(elem_id="hs-control"):
        with gr.Column(elem_id="hs-control-draw", min_width=280):
            drawn = canvas()
        with gr.Column(elem_id="hs-control-ask", min_width=280):
            prompt = gr.Textbox(
                "a big cat on a blue background"
                if first.has(Capability.SCENES)
                else "a red fox sleeping in fresh snow",
                label="Prompt",
                max_lines=1,
                elem_id="hs-control-prompt",
            )
            mode = gr.Radio(
                _MODES,
                value=ControlMode.SCRIBBLE.value,
                label="Lines",
                info="Of a picture on the canvas. A drawing alone is followed as it is.",
                elem_id="hs-control-mode",
            )
            names = [(family.title, name) for name, family in engines.families.items()]
            family = gr.Radio(names, value=first.name, label="Family", elem_id="hs-control-family")
            base = base_choice(first, elem_id=BASE_ID)
            with gr.Row(elem_id="hs-control-numbers"):
                scale = gr.Slider(
                    0,
                    MAX_CONTROL,
                    own_scale(first),
                    step=0.05,
                    label="Conditioning scale",
                    elem_id="hs-control-scale",
                )
                eta = gr.Textbox(
                    label="Eta, 0 to 1",
                    placeholder="the steps\N{RIGHT SINGLE QUOTATION MARK} own",
                    max_lines=1,
                    elem_id="hs-control-eta",
                )
                seed = gr.Textbox("7", label="Seed", max_lines=1, elem_id="hs-control-seed")
            with gr.Row(elem_id="hs-control-buttons"):
                run = gr.Button("Draw", variant="primary", min_width=100, elem_id="hs-control-run")
                stop = gr.Button("Stop", variant="stop", min_width=100, interactive=False, elem_id="hs-control-stop")
        message = gr.HTML("", elem_id="hs-control-message")
        board = gr.HTML(EMPTY, elem_id="hs-control-board")
    return ControlComponents(
        canvas=drawn,
        mode=mode,
        family=family,
        base=base,
        prompt=prompt,
        seed=seed,
        scale=scale,
        eta=eta,
        run=run,
        stop=stop,
        message=message,
        board=board,
        job=gr.State(None),
        shown=gr.State(None),
    )


def own_scale(family: Family) -> float:
    """The conditioning scale of a family's first ControlNet; 1 if it has none."""
    return next((spec.scale for spec in family.controlnets), 1.0)
