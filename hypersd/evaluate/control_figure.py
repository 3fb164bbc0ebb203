"""Figure 9 of the Hyper-SD paper: the unified LoRA with ControlNets, in few steps."""

from __future__ import annotations

from pathlib import Path

from hypersd.evaluate.paper_figures import write_sheet
from hypersd.evaluate.scene_requests import scene_requests
from hypersd.models.control_availability import control_availability
from hypersd.models.control_specs import ControlMode
from hypersd.models.engine import Engine
from hypersd.sampling.comparison import compare, grid
from hypersd.sampling.request import Generation, Run

STEPS = (1, 2, 4, 8)
_ROWS = 2
"""Scenes a mode."""


def write_control_figure(engine: Engine, *, seed: int, folder: Path, command: str) -> list[Path]:
    """Draw scenes along their lines, in each mode that the family has a ControlNet for; returns the files.

    Args:
        engine: of a family with scenes of its own.
        seed: of the first scene and picture.
        folder: where the files go.
        command: that makes the figure.

    Raises:
        OSError: the folder cannot be written.
    """
    family = engine.family
    absences = {mode: control_availability(family, mode, engine.machine).reason for mode in ControlMode}
    modes = [mode for mode, reason in absences.items() if not reason]
    runs = [Run(model=family.unified.name, steps=steps) for steps in STEPS]
    rows = [
        grid(request, [event for event in compare(request, engine) if isinstance(event, Generation)])
        for mode in modes
        for request in scene_requests(family, mode, runs, count=_ROWS, seed=seed)
    ]
    title = f"Figure 9. The unified LoRA with ControlNets at {', '.join(map(str, STEPS))} steps: {family.title}."
    caption = [title, "The first column is the control image: the lines of a held-out scene."]
    caption += [f"Without {mode}: {reason}." for mode, reason in absences.items() if reason]
    return write_sheet(folder / "figure-9", caption, rows, command)
