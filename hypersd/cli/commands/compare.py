"""`compare`: one prompt and one seed through several models; pictures, a grid and a record in a folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.arena.service.prompt_files import PROMPT_FILE, read_prompt_file
from hypersd.cli.base_option import add_base, chosen_family
from hypersd.cli.comparison_report import comparison_report, report_failures, sweep_report
from hypersd.cli.folders import command_folder
from hypersd.cli.like import check_like, take_like
from hypersd.cli.options import (
    add_backend,
    add_base_first,
    add_family,
    add_file,
    add_models_and_steps,
    add_out,
    add_resume,
    add_sampling,
    add_seed,
    machine_of,
)
from hypersd.cli.output import emit, note, say
from hypersd.cli.sweep_options import add_sweep, check_sweep, steps_of, sweep_writer
from hypersd.models.base_first import with_base_first
from hypersd.sampling.comparison_files import COMPARISON, GRID, SWEEP, picture_files

if TYPE_CHECKING:
    from hypersd.sampling.request import Request, Run


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "compare",
        help="draw one prompt with several models",
        description="Draw a prompt with several models, from the same noise. Writes MODEL.png for each (MODEL-N.png "
        "where a model runs at several step counts, MODEL-seed-N.png with --count), grid.png and comparison.json; "
        "with --prompts the same in "
        "DIR/0000, DIR/0001, ... With --grid, grid.png is models x steps, and sweep.csv has its numbers.",
    )
    parser.add_argument("prompt", nargs="?", metavar="PROMPT")
    add_file(parser, "--prompts", f"prompts instead of PROMPT: {PROMPT_FILE}")
    add_family(parser)
    add_base(parser)
    add_backend(parser)
    add_models_and_steps(parser, "steps to run each model at that has them (default: each model's own)")
    add_base_first(parser)
    add_seed(parser)
    add_sampling(parser)
    add_sweep(parser)
    add_out(parser)
    add_file(parser, "--like", "draw again what a PNG of compare or of the page says")
    add_resume(parser, "what is drawn")
    parser.add_argument(
        "--json", action="store_true", help="print what comparison.json says; with --prompts, a list of it"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare."""
    from hypersd.sampling.planning import planned
    from hypersd.sampling.runs import runnable

    check_sweep(options)
    like = None if options.like is None else take_like(options)
    prompts = prompts_of(options)
    machine = machine_of(options)
    chosen = chosen_family(options, options.models, machine)
    if options.base_first:
        chosen = with_base_first(chosen, options.base_first)
    runs = runnable(chosen, options.models, steps_of(options, chosen), machine, note)
    if like is not None:
        runs = tuple(run for run in runs if run in like.request.runs)
        check_like(options, like, chosen, machine)
    requests = list(requests_for(prompts, options, runs))
    planned(chosen, requests[0])  # complains about a parameter that no model bears
    from hypersd.cli.drawing import drawing
    from hypersd.models.engine import Engine
    from hypersd.sampling.comparison_folder import compare_into, finished_comparisons, write_grid
    from hypersd.sampling.expected_time import expected_time

    if expected := expected_time(chosen, requests[0], machine):
        note(expected)

    homes = [Path() if options.prompts is None else Path(f"{index:04d}") for index in range(len(requests))]
    files = (*picture_files(runs, requests[0].seeds).values(), GRID, COMPARISON, *([SWEEP] if options.grid else []))
    write_sheet = sweep_writer(options, chosen, requests, machine) or write_grid
    records: list[dict[str, Any]] = []
    names = [(home / file).as_posix() for home in homes for file in files]
    with command_folder(options.out, "compare", names, keep=options.resume) as out:
        engine = Engine(chosen, machine)
        folders = [out / home for home in homes]
        before: dict[Path, dict[str, Any]] = {}
        if options.resume:
            if options.prompts and (beyond := out / f"{len(folders):04d}").exists():
                raise ValueError(
                    f"cannot resume: {options.prompts} has {len(folders)} prompts, and {beyond} is of another"
                )
            before = finished_comparisons(folders, requests, engine, sweep=options.grid)
        with drawing(engine) as draw_all:
            results = draw_all(
                [request for folder, request in zip(folders, requests, strict=True) if folder not in before]
            )
            for folder, request in zip(folders, requests, strict=True):
                note(f"{folder}: {request.prompt}{' (drawn before)' if folder in before else ''}")
                drawn = before.get(folder) or compare_into(
                    folder, request, engine, events=next(results), write_sheet=write_sheet, progress=note
                )
                records.append(drawn)
                for warning in drawn.get("warnings", ()):
                    note(f"  {warning}")
    if options.json:
        emit(records[0] if options.prompts is None else records)
    else:
        say("\n\n".join((sweep_report if "sweep" in record else comparison_report)(record) for record in records))
    return report_failures(records)


def prompts_of(options: argparse.Namespace) -> list[str]:
    """The prompts that were given, in the argument or in the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: both were given, or none; or a prompt cannot be drawn (in a file, the complaint says which).
    """
    from hypersd.sampling.request import check_prompt

    if (options.prompt is None) == (options.prompts is None):
        raise ValueError("give a prompt, or a file of them with --prompts")
    if options.prompts is None:
        return [check_prompt(options.prompt)]
    return read_prompt_file(options.prompts, check_prompt)


def requests_for(prompts: Sequence[str], options: argparse.Namespace, runs: Sequence[Run]) -> Iterator[Request]:
    """A request for each prompt, all with one seed and the same parameters.

    Raises:
        ValueError: a parameter or the count is out of range.
    """
    from hypersd.sampling.request import Request, SamplingParameters

    parameters = SamplingParameters(
        eta=options.eta,
        strength=options.strength,
        guidance_scale=options.guidance,
        negative_prompt=options.negative,
        size=options.size,
    )
    for prompt in prompts:
        yield Request(
            prompt=prompt,
            seed=options.seed,
            family=options.family,
            runs=tuple(runs),
            parameters=parameters,
            count=options.count,
        )
