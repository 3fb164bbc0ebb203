"""Layout of the Sweep tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.pages.base_choice import base_choice
from app.services.engines import EngineManager
from hypersd.models.specs import Family
from hypersd.sampling.step_sweep import usual_steps

BASE_ID = "hs-sweep-base"
_LEAD = """
<p class="hs-note">Every model at every number of steps that it supports, from the same initial noise. <kbd>Enter</kbd>
draws, <kbd>Esc</kbd> stops. Marked: the fewest steps that are as good as the base's own pictures.</p>
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class SweepComponents:
    """The tab's components."""

    prompt: gr.Textbox
    run: gr.Button
    stop: gr.Button
    family: gr.Radio
    base: gr.Radio
    seed: gr.Textbox
    models: gr.CheckboxGroup
    steps: gr.CheckboxGroup
    order: gr.Radio
    message: gr.HTML
    board: gr.HTML
    download: gr.DownloadButton
    job: gr.State
    shown: gr.State

    @property
    def results(self) -> list[Any]:
        """Components that a run changes."""
        return [self.run, self.stop, self.message, self.board, self.download, self.job, self.shown]


def layout(engines: EngineManager) -> SweepComponents:
    """Lay out the tab, from top to bottom."""
    first = engines.family(engines.first)
    gr.HTML(_LEAD)
    with gr.Row():
        prompt = gr.Textbox(
            "a big cat on a blue background", label="Prompt", max_lines=1, scale=4, elem_id="hs-sweep-prompt"
        )
        seed = gr.Textbox("7", label="Seed", max_lines=1, min_width=110, elem_id="hs-sweep-seed")
        run = gr.Button("Sweep", variant="primary", scale=0, min_width=120, elem_id="hs-sweep-run")
        stop = gr.Button("Stop", variant="stop", scale=0, min_width=120, visible=False, elem_id="hs-sweep-stop")
    message = gr.HTML("", elem_id="hs-sweep-message")
    names = [(family.title, name) for name, family in engines.families.items()]
    with gr.Row():
        family = gr.Radio(names, value=first.name, label="Family")
        base = base_choice(first, elem_id=BASE_ID)
        order = gr.Radio([("As listed", "listed"), ("Fastest first", "fastest")], value="listed", label="Rows")
    models = gr.CheckboxGroup(model_choices(first), value=[spec.name for spec in first.specs], label="Models")
    steps = gr.CheckboxGroup(step_choices(first), value=list(usual_steps(first)), label="Steps")
    board = gr.HTML("", elem_id="hs-sweep-board")
    download = gr.DownloadButton("Download as one picture", size="sm", visible=False, elem_id="hs-sweep-download")
    return SweepComponents(
        prompt=prompt,
        run=run,
        stop=stop,
        family=family,
        base=base,
        seed=seed,
        models=models,
        steps=steps,
        order=order,
        message=message,
        board=board,
        download=download,
        job=gr.State(None),
        shown=gr.State(None),
    )


def model_choices(family: Family) -> list[tuple[str, str]]:
    """Titles and names of a family's models."""
    return [(spec.title, spec.name) for spec in family.specs]


def step_choices(family: Family) -> list[tuple[str, int]]:
    """Numbers of steps of a usual sweep, as texts and numbers."""
    return [(str(count), count) for count in usual_steps(family)]
