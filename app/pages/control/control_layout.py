"""Layout of the Control tab: the canvas, what is asked for, and the row of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from hypersd.models.control_specs import ControlMode
from hypersd.models.specs import Family
from hypersd.sampling.request import MAX_CONTROL

CANVAS = 384
"""Pixels on a side of the canvas."""

DRAWING = "drawing"
LINES: Mapping[str, ControlMode] = MappingProxyType(
    {DRAWING: ControlMode.SCRIBBLE} | {mode: mode for mode in ControlMode}
)
"""The mode that each choice of lines asks a ControlNet for; a drawing is followed as a scribble is."""

_CHOICES = [("My drawing", DRAWING), ("Edges of the picture", "canny"), ("Its contours, as a scribble", "scribble")]
_EMPTY = """
<section class="hs-board hs-empty" aria-label="Pictures along the lines"><p>Draw on the canvas: the pictures follow the
strokes. Or drop a picture on it, and choose which of its lines they follow.</p></section>
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class ControlComponents:
    """The tab's components."""

    canvas: gr.ImageEditor
    lines: gr.Radio
    family: gr.Radio
    prompt: gr.Textbox
    seed: gr.Textbox
    scale: gr.Slider
    eta: gr.Slider
    run: gr.Button
    message: gr.HTML
    followed: gr.HTML
    board: gr.HTML
    job: gr.State
    timer: gr.Timer

    @property
    def inputs(self) -> set[Any]:
        """Components that a row is made of."""
        asked = {self.canvas, self.lines, self.family, self.prompt, self.seed, self.scale, self.eta}
        return {*asked, self.job}

    @property
    def results(self) -> list[Any]:
        """Components that a row changes."""
        return [self.message, self.followed, self.board, self.job]


def control_layout(families: Mapping[str, Family], first: str) -> ControlComponents:
    """Lay out the tab for the families that have a ControlNet; `first` is in front."""
    chosen = families[first]
    with gr.Row(elem_id="hs-control"):
        with gr.Column(elem_id="hs-control-draw", min_width=280):
            canvas = gr.ImageEditor(
                label="Canvas",
                type="pil",
                image_mode="RGBA",
                sources=("upload", "clipboard"),
                canvas_size=(CANVAS, CANVAS),
                fixed_canvas=True,
                brush=gr.Brush(default_size=6, colors=["#000000"], color_mode="fixed"),
                transforms=(),
                layers=False,
                height=CANVAS + 110,
                elem_id="hs-canvas",
            )
            lines = gr.Radio(_CHOICES, value=DRAWING, label="Follow", elem_id="hs-lines")
        with gr.Column(elem_id="hs-control-ask", min_width=280):
            prompt = gr.Textbox(
                "a big cat on a blue background" if chosen.world else "a red fox sleeping in fresh snow",
                label="Prompt",
                max_lines=1,
                elem_id="hs-control-prompt",
            )
            names = [(family.title, name) for name, family in families.items()]
            family = gr.Radio(names, value=first, label="Family", elem_id="hs-control-family")
            scale = gr.Slider(
                0,
                MAX_CONTROL,
                own_scale(chosen),
                step=0.05,
                label="Conditioning scale",
                info="How much the lines count.",
                elem_id="hs-control-scale",
            )
            eta = gr.Slider(
                0,
                1,
                own_eta(chosen),
                step=0.05,
                label="Eta",
                info="Noise added anew at each step. Untouched, each number of steps has its own.",
                elem_id="hs-control-eta",
            )
            seed = gr.Textbox("7", label="Seed", max_lines=1, elem_id="hs-control-seed")
            run = gr.Button("Draw", variant="primary", elem_id="hs-control-run")
            message = gr.HTML("", elem_id="hs-control-message")
            followed = gr.HTML("", elem_id="hs-control-lines")
    board = gr.HTML(_EMPTY, elem_id="hs-control-results")
    return ControlComponents(
        canvas=canvas,
        lines=lines,
        family=family,
        prompt=prompt,
        seed=seed,
        scale=scale,
        eta=eta,
        run=run,
        message=message,
        followed=followed,
        board=board,
        job=gr.State(None),
        timer=gr.Timer(1.0),
    )


def own_scale(family: Family) -> float:
    """The conditioning scale of a family's first ControlNet."""
    return family.controlnets[0].scale


def own_eta(family: Family) -> float:
    """Eta of the unified adapter's default number of steps."""
    return family.unified.recipe(4).eta or 0.0
