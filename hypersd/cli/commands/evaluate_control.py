"""`evaluate control`: how well held-out pictures follow the lines that they are given, with and without them."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hypersd.cli.commands.control import check_controllable
from hypersd.cli.folders import AGREEMENT, AGREEMENT_SHEET, command_folder
from hypersd.cli.output import emit, note, say, table
from hypersd.models.control_specs import ControlMode
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.models.specs import Family
from hypersd.utils.files import finite, write_document

if TYPE_CHECKING:
    from hypersd.sampling.request import Request

PROMPTS = 64
STEPS = 4
_SHOWN = 8
_NOT_HERE = {
    **dict.fromkeys(
        ("base", "style", "models", "adapter", "like", "base_first", "reward", "reference", "metrics", "prompts")
    ),
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
    for name, left_out in _NOT_HERE.items():
        if getattr(options, name) != left_out:
            raise ValueError(
                f"`evaluate control` draws the family's own held-out scenes; leave out --{name.replace('_', '-')}"
            )
    chosen = family(options.family)
    mode = options.mode or ControlMode.CANNY
    check_controllable(chosen, mode, machine)
    from hypersd.evaluate.control_agreement import ControlAgreement, controlled_pictures, object_check, sheet
    from hypersd.models.engine import Engine
    from hypersd.sampling.png import write_png

    shows_objects = object_check(chosen)
    rows: list[dict[str, Any]] = []
    cells: list[tuple[object, ...]] = []
    files = [AGREEMENT, *(AGREEMENT_SHEET.format(steps) for steps in options.steps or (STEPS,))]
    with command_folder(options.out, "evaluate control", files) as out:
        engine = Engine(chosen, machine)
        for steps in options.steps or (STEPS,):
            requests = requests_for(options, chosen, mode, steps, machine)
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


def requests_for(
    options: argparse.Namespace, chosen: Family, mode: ControlMode, steps: int, machine: Machine
) -> list[Request]:
    """Held-out prompts, each with the lines of a scene that shows it and a seed of its own."""
    from PIL import Image

    from hypersd.models.families.embedded import prompt_source, rendered_scenes
    from hypersd.sampling.control_image import control_image
    from hypersd.sampling.request import Control, Request
    from hypersd.sampling.runs import runnable

    count = options.count or PROMPTS
    prompts = prompt_source(chosen, "be judged").held_out(count, options.seed)
    scenes = rendered_scenes(chosen, prompts, count, options.seed)
    runs = runnable(chosen, (chosen.unified.name,), (steps,), machine, note)
    return [
        Request(
            prompt=prompt,
            seed=options.seed + index,
            family=chosen.name,
            runs=runs,
            control=Control(mode=mode, image=control_image(Image.fromarray(scene), mode, chosen.pixels)),
        )
        for index, (prompt, scene) in enumerate(zip(prompts, scenes, strict=True))
    ]
