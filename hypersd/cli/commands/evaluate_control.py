"""`evaluate control`: how well held-out pictures follow the lines that they are given, with and without them."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from hypersd.cli.arguments import refuse_given
from hypersd.cli.commands.control import check_controllable
from hypersd.cli.folders import AGREEMENT, AGREEMENT_SHEET, command_folder
from hypersd.cli.output import emit, note, say, table
from hypersd.models.control_specs import ControlMode
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.utils.files import finite, write_document

PROMPTS = 64
STEPS = 4
_SHOWN = 8
_NOT_HERE = {
    **dict.fromkeys(("base", "style", "decoder", "models", "adapter", "like", "base_first", "backend")),
    **dict.fromkeys(("reward", "reference", "metrics", "prompts")),
    "seeds": 1,
    "resume": False,
}
"""Options of `evaluate` that do not belong here, with their values if they are left out."""


def run_control(options: argparse.Namespace, machine: Machine) -> int:
    """Measure; returns the exit status.

    Raises:
        OSError: a file is missing or damaged, or cannot be written.
        ValueError: an option does not belong here, or the family has no ControlNet or no judge.
    """
    refuse_given(options, _NOT_HERE, "`evaluate control` draws the family's own held-out scenes")
    chosen = family(options.family)
    mode = options.mode or ControlMode.CANNY
    check_controllable(chosen, mode, machine)
    from hypersd.evaluate.control_agreement import ControlAgreement, controlled_pictures, object_check, sheet
    from hypersd.evaluate.scene_requests import scene_requests
    from hypersd.models.engine import Engine
    from hypersd.sampling.png import write_png
    from hypersd.sampling.runs import runnable

    shows_objects = object_check(chosen)
    rows: list[dict[str, Any]] = []
    cells: list[tuple[object, ...]] = []
    files = [AGREEMENT, *(AGREEMENT_SHEET.format(steps) for steps in options.steps or (STEPS,))]
    with command_folder(options.out, "evaluate control", files) as out:
        engine = Engine(chosen, machine)
        for steps in options.steps or (STEPS,):
            runs = runnable(chosen, (chosen.unified.name,), (steps,), machine, note)
            requests = scene_requests(chosen, mode, runs, count=options.count or PROMPTS, seed=options.seed)
            pictures = list(controlled_pictures(engine, requests, shows_objects))
            agreement = ControlAgreement.of(pictures)
            rows.append({"steps": steps, "prompts": len(pictures), **finite(asdict(agreement))})
            cells.append((steps, *(f"{each.value:.3f} ± {each.reach:.3f}" for each in agreement.estimates.values())))
            write_png(out / AGREEMENT_SHEET.format(steps), sheet(pictures[:_SHOWN]), {"mode": mode})
        document = {"family": chosen.name, "mode": mode, "model": chosen.unified.name, "seed": options.seed}
        document["rows"] = rows
        write_document(out / AGREEMENT, document)
    if options.json:
        emit(document)
    else:
        header = ("steps", "edges' IoU", "without control", "right objects", "without control")
        say(table(header, cells))
        note(f"written: {', '.join(str(options.out / file) for file in files)}")
    return 0
