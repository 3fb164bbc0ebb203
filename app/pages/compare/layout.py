"""Layout of the Compare tab, from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block

from app.pages.base_choice import base_choice
from app.pages.compare import model_picker
from app.pages.compare.model_picker import ModelPanel
from app.pages.compare.sampling_controls import SamplingControls, sampling_controls
from app.services.engines import EngineManager
from app.theme import DICE_ICON
from hypersd.models.specs import Capability

BASE_ID = "hs-base"
EMPTY = """
<section class="hs-board hs-empty" aria-label="Results"><p>Press <kbd>Enter</kbd> to draw, <kbd>Esc</kbd> to stop.
The cheapest picture comes first.</p></section>
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class CompareComponents:
    """The tab's components."""

    status: gr.HTML
    prompt: gr.Textbox
    run: gr.Button
    stop: gr.Button
    message: gr.HTML
    family: gr.Radio
    base: gr.Radio
    seed: gr.Textbox
    dice: gr.Button
    panels: Mapping[str, ModelPanel]
    sampling: SamplingControls
    board: gr.HTML
    closer: gr.Column
    left: gr.Dropdown
    right: gr.Dropdown
    slider: gr.ImageSlider
    link: gr.HTML
    download: gr.DownloadButton
    job: gr.State
    drawn: gr.State
    timer: gr.Timer

    @property
    def inputs(self) -> set[Any]:
        """Components that a run is made of."""
        chosen = {part for panel in self.panels.values() for part in panel.inputs}
        return {self.prompt, self.seed, self.family, self.base, self.job, *chosen, *self.sampling.inputs}

    @property
    def results(self) -> list[Any]:
        """Components that a run changes; previews come fast, and each output costs the browser time."""
        buttons, closer = [self.run, self.stop], [self.closer, self.left, self.right, self.slider]
        return [self.board, self.message, *buttons, *closer, self.link, self.download, self.job, self.drawn, self.timer]

    @property
    def outputs(self) -> list[Any]:
        """Components that handlers may change; each returns only those that it changes."""
        own = [value for name in self.__dataclass_fields__ if isinstance(value := getattr(self, name), Block)]
        chosen = (part for panel in self.panels.values() for part in panel.outputs)
        return [*own, *chosen, self.sampling.panel, *self.sampling.inputs]


def layout(engines: EngineManager, status: gr.HTML) -> CompareComponents:
    """Lay out the tab, the first family in front; the page's status line is above all tabs."""
    first = engines.family(engines.first)
    with gr.Column(elem_id="hs-ask"):
        with gr.Row(elem_id="hs-prompt-row"):
            prompt = gr.Textbox(
                "a big cat on a blue background"
                if first.has(Capability.SCENES)
                else "a red fox sleeping in fresh snow",
                label="Prompt",
                show_label=False,
                placeholder="What shall they draw?",
                max_lines=1,
                container=False,
                autofocus=True,
                scale=1,
                elem_id="hs-prompt",
            )
            run = gr.Button("Compare", variant="primary", scale=0, min_width=130, elem_id="hs-run")
            stop = gr.Button("Stop", variant="stop", scale=0, min_width=130, visible=False, elem_id="hs-stop")
        message = gr.HTML("", elem_id="hs-message")
        examples = {
            name: model_picker.examples(family, prompt, visible=family is first)
            for name, family in engines.families.items()
        }
        with gr.Row(elem_id="hs-options"):
            names = [(family.title, name) for name, family in engines.families.items()]
            family = gr.Radio(names, value=first.name, label="Family", elem_id="hs-family")
            base = base_choice(first, elem_id=BASE_ID)
            with gr.Row(elem_id="hs-seed-row"):
                seed = gr.Textbox("7", label="Seed", max_lines=1, min_width=120, elem_id="hs-seed")
                dice = gr.Button("Roll", icon=DICE_ICON, scale=0, min_width=90, elem_id="hs-dice")
        panels: dict[str, ModelPanel] = {}
        for name, family_ in engines.families.items():
            row, tiles = model_picker.models(family_, visible=family_ is first)
            panels[name] = ModelPanel(family=family_, examples=examples[name], models=row, tiles=tiles)
        sampling = sampling_controls(first)
    board = gr.HTML(EMPTY, elem_id="hs-results")
    with gr.Column(visible=False, elem_id="hs-closer") as closer:
        with gr.Row(elem_id="hs-keep"):
            shared = gr.HTML("", elem_id="hs-link")
            download = gr.DownloadButton("Download all as one picture", size="sm", scale=0, elem_id="hs-download")
        with gr.Row(elem_id="hs-sides"):
            left = gr.Dropdown([], label="Left", interactive=True, elem_id="hs-left")
            right = gr.Dropdown([], label="Right", interactive=True, elem_id="hs-right")
        slider = gr.ImageSlider(
            show_label=False, interactive=False, max_height=560, buttons=["fullscreen"], elem_id="hs-slider"
        )
    return CompareComponents(
        status=status,
        prompt=prompt,
        run=run,
        stop=stop,
        message=message,
        family=family,
        base=base,
        seed=seed,
        dice=dice,
        panels=panels,
        sampling=sampling,
        board=board,
        closer=closer,
        left=left,
        right=right,
        slider=slider,
        link=shared,
        download=download,
        job=gr.State(None),
        drawn=gr.State([]),
        timer=gr.Timer(0.5),
    )
