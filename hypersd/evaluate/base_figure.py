"""Figure 10 of the Hyper-SD paper: the same few-step LoRA on other bases, whose styles it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypersd.evaluate.paper_figures import write_sheet
from hypersd.models.engine import Engine
from hypersd.models.family_bases import styled_bases, with_named_base
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.sampling.comparison import compare, grid
from hypersd.sampling.request import Generation, Request, Run

STEPS = (1, 2, 4)


def write_base_figure(
    family: Family, machine: Machine, prompts: Sequence[str], *, seed: int, folder: Path, command: str
) -> list[Path]:
    """Draw prompts on a family's base and its styles, with the base alone and with Hyper-SD; returns the files.

    Args:
        family: on its own base.
        machine: where it is drawn.
        prompts: a row each on every base.
        seed: of every picture.
        folder: where the files go.
        command: that makes the figure.

    Raises:
        OSError: the folder cannot be written, or a style's file is damaged.
    """
    there = styled_bases(family)
    bases = [family, *(with_named_base(family, base.name).family for base in there)]
    runs = (Run(model=family.base_model.name), *(Run(model=family.unified.name, steps=steps) for steps in STEPS))
    engines = [Engine(each, machine) for each in bases]
    rows = [
        grid(request, _drawn(request, engine), title=engine.family.base_model.title)
        for prompt in prompts
        for engine in engines
        for request in [Request(prompt=prompt, seed=seed, family=family.name, runs=runs)]
    ]
    steps = ", ".join(map(str, STEPS))
    caption = [f"Figure 10. {family.unified.title} at {steps} steps on other bases: {family.title}."]
    caption += [f"Rows: {', '.join(each.base_model.title for each in bases)}; first column: the base alone."]
    caption += [f"Without {base.title}: not trained." for base in family.styled_bases if base not in there]
    return write_sheet(folder / "figure-10", caption, rows, command)


def _drawn(request: Request, engine: Engine) -> list[Generation]:
    drawn = {(event.model, event.steps): event for event in compare(request, engine) if isinstance(event, Generation)}
    settings = [(run.model, engine.family.spec(run.model).recipe(run.steps).steps) for run in request.runs]
    return [drawn[setting] for setting in settings]
