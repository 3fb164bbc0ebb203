"""`control`: pictures that follow the lines of another one, or of a drawing, at several numbers of steps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.arguments import argument, control_mode, path, step_counts
from hypersd.cli.base_option import add_base, chosen_family
from hypersd.cli.comparison_report import comparison_report, report_failures
from hypersd.cli.folders import CONTROL, CONTROL_IMAGE, command_folder
from hypersd.cli.options import add_family, add_json, add_out, add_seed
from hypersd.cli.output import emit, note, say
from hypersd.models.control_availability import control_availability
from hypersd.models.control_specs import ControlMode
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.sampling.comparison_files import GRID, picture_files
from hypersd.utils.numbers import parse_number

if TYPE_CHECKING:
    from hypersd.sampling.request import Control, Request

STEPS = (1, 2, 4, 8)


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "control",
        help="draw a prompt along the lines of a picture (ControlNet)",
        description="Draw a prompt so that it follows the lines of a picture, or of a drawing, with the unified "
        f"Hyper-SD LoRA. Writes MODEL-N.png for each number of steps, the control image as {CONTROL_IMAGE}, all of "
        f"them in a row as {GRID}, and {CONTROL}.",
    )
    parser.add_argument("prompt", metavar="PROMPT")
    parser.add_argument("--image", type=argument(path), required=True, metavar="FILE", help="the picture or drawing")
    parser.add_argument(
        "--mode",
        type=argument(control_mode),
        required=True,
        metavar="M",
        help=f"{' | '.join(mode.value for mode in ControlMode)}: its fine edges, or its coarse contours",
    )
    parser.add_argument(
        "--drawing", action="store_true", help="FILE is a drawing, dark lines on white, and is followed as it is"
    )
    add_family(parser)
    add_base(parser)
    parser.add_argument(
        "--steps",
        type=argument(step_counts),
        default=STEPS,
        metavar="N,N",
        help=f"default: {','.join(map(str, STEPS))}",
    )
    parser.add_argument(
        "--scale",
        type=argument(parse_number),
        metavar="X",
        help="conditioning scale, 0 to 2 (default: the ControlNet's own)",
    )
    parser.add_argument(
        "--eta", type=argument(parse_number), metavar="X", help="noise that each step adds anew, 0 to 1"
    )
    add_seed(parser)
    add_out(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw; returns the exit status."""
    machine = Machine.here()
    chosen = chosen_family(options, None, machine)
    check_controllable(chosen, options.mode, machine)
    request = request_for(options, chosen, machine)
    names = [*picture_files(request.runs, request.seeds).values(), GRID, CONTROL_IMAGE, CONTROL]
    with command_folder(options.out, "control", names) as out:
        record = drawn(out, request, chosen, machine)
    for warning in record["warnings"]:
        note(warning)
    if options.json:
        emit(record)
    else:
        say(comparison_report(record))
    return report_failures([record])


def check_controllable(chosen: Family, mode: ControlMode, machine: Machine) -> None:
    """See that a family's ControlNet for a mode can be used here.

    Raises:
        ValueError: it cannot; the message says why.
    """
    able = control_availability(chosen, mode, machine)
    if not able.available:
        raise ValueError(able.reason)


def request_for(options: argparse.Namespace, chosen: Family, machine: Machine) -> Request:
    """The request that the options make.

    Raises:
        OSError: the image cannot be read.
        ValueError: it is no picture, or an option is out of range.
    """
    from hypersd.sampling.planning import planned
    from hypersd.sampling.request import Request, SamplingParameters
    from hypersd.sampling.runs import runnable

    request = Request(
        prompt=options.prompt,
        seed=options.seed,
        family=chosen.name,
        runs=runnable(chosen, (chosen.unified.name,), options.steps, machine, note),
        parameters=SamplingParameters(eta=options.eta),
        control=control_of(options.image, options.mode, options.scale, drawing=options.drawing, side=chosen.pixels),
    )
    planned(chosen, request)  # complains about a parameter that no run bears
    return request


def control_of(file: Path, mode: ControlMode, scale: float | None, *, drawing: bool, side: int) -> Control:
    """The control that a file gives: its lines if it is a picture, itself if it is a drawing.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no picture; or nothing is on it; or the scale is out of range.
    """
    from hypersd.sampling.control_image import control_image, is_blank
    from hypersd.sampling.request import Control
    from hypersd.utils.readers import read_picture

    image = control_image(read_picture(file), None if drawing else mode, side)
    if is_blank(image):
        raise ValueError(f"{file} has no lines to follow; choose a picture with clear contours")
    return Control(mode=mode, image=image, scale=scale)


def drawn(out: Path, request: Request, chosen: Family, machine: Machine) -> dict[str, Any]:
    """Draw a request and write its files; returns the record."""
    from hypersd.models.engine import Engine
    from hypersd.sampling.comparison_folder import compare_into
    from hypersd.sampling.png import write_png

    if request.control is not None:
        write_png(out / CONTROL_IMAGE, request.control.image, {"mode": request.control.mode.value})
    return compare_into(out, request, Engine(chosen, machine), record_file=CONTROL, progress=note)
