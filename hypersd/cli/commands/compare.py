"""`compare`: one prompt and one seed through several models; pictures, a grid and a record in a folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.arena.service.prompt_files import PROMPT_FILE, read_prompt_file
from hypersd.cli.comparison_folder import GRID, compare_into, finished, picture_files, report
from hypersd.cli.folders import COMPARISON, SWEEP, command_folder
from hypersd.cli.like import take_like
from hypersd.cli.options import (
    add_base_first,
    add_family,
    add_models_and_steps,
    add_sampling,
    add_seed,
    argument,
    path,
)
from hypersd.cli.output import emit, note, say
from hypersd.cli.parser import FAILED, complain
from hypersd.cli.sweep_folder import sweep_report
from hypersd.cli.sweep_options import add_sweep, check_sweep, steps_of, sweep_options
from hypersd.models.base_first import with_base_first
from hypersd.models.machine import Machine
from hypersd.models.registry import availability, family
from hypersd.models.specs import Family

if TYPE_CHECKING:
    from hypersd.models.engine import Engine
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
    parser.add_argument(
        "--prompts", type=argument(path), metavar="FILE", help=f"prompts instead of PROMPT: {PROMPT_FILE}"
    )
    add_family(parser)
    add_models_and_steps(parser, "steps to run each model at that has them (default: each model's own)")
    add_base_first(parser)
    add_seed(parser)
    add_sampling(parser)
    add_sweep(parser)
    parser.add_argument("--out", type=argument(path), required=True, metavar="DIR")
    parser.add_argument(
        "--like", type=argument(path), metavar="FILE", help="draw again what a PNG of compare or of the page says"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on in DIR where the same command was interrupted; keep what is drawn"
    )
    parser.add_argument(
        "--json", action="store_true", help="print what comparison.json says; with --prompts, a list of it"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare."""
    from hypersd.sampling.planning import planned

    check_sweep(options)
    like = None if options.like is None else take_like(options)
    chosen = family(options.family)
    if options.base_first:
        chosen = with_base_first(chosen, options.base_first)
    prompts = prompts_of(options)
    machine = Machine.here()
    runs = runnable(chosen, options.models, steps_of(options, chosen), machine)
    if like is not None:
        runs = tuple(run for run in runs if run in like)
    requests = list(requests_for(prompts, options, runs))
    planned(chosen, requests[0])  # complains about a parameter that no model bears
    homes = [Path() if options.prompts is None else Path(f"{index:04d}") for index in range(len(requests))]
    names = [
        (home / name).as_posix()
        for home in homes
        for name in (
            *picture_files(runs, requests[0].seeds).values(),
            GRID,
            COMPARISON,
            *([SWEEP] if options.grid else []),
        )
    ]
    sweep = sweep_options(options, chosen, requests, machine)
    records: list[dict[str, Any]] = []
    with command_folder(options.out, "compare", names, keep=options.resume) as out:
        from hypersd.models.engine import Engine

        engine = Engine(chosen, machine)
        folders = [out / home for home in homes]
        before: dict[Path, dict[str, Any]] = {}
        if options.resume:
            if options.prompts and (beyond := out / f"{len(folders):04d}").exists():
                raise ValueError(
                    f"cannot resume: {options.prompts} has {len(folders)} prompts, and {beyond} is of another"
                )
            before = earlier(folders, requests, engine, grid=options.grid)
        for folder, request in zip(folders, requests, strict=True):
            note(f"{folder}: {request.prompt}{' (drawn before)' if folder in before else ''}")
            records.append(before.get(folder) or compare_into(folder, request, engine, sweep=sweep))
            for warning in records[-1].get("warnings", ()):
                note(f"  {warning}")
    if options.json:
        emit(records[0] if options.prompts is None else records)
    else:
        say("\n\n".join((sweep_report if "sweep" in record else report)(record) for record in records))
    failures = [run for record in records for run in record["runs"] if run["file"] is None]
    for run in failures:
        complain(f"{run['model']} at {run['steps']} steps: {run['error']}")
    return FAILED if failures else 0


def earlier(
    folders: Sequence[Path], requests: Sequence[Request], engine: Engine, *, grid: bool = False
) -> dict[Path, dict[str, Any]]:
    """The records of the requests that were drawn before, by their folders.

    Raises:
        ValueError: something else was drawn there, or only one of the two has `--grid`.
    """
    records = {folder: finished(folder, request, engine) for folder, request in zip(folders, requests, strict=True)}
    for folder, record in records.items():
        if record is not None and ("sweep" in record) != grid:
            raise ValueError(
                f"cannot resume: {folder} was drawn with{'out' if grid else ''} --grid; give the same options as "
                "before, or choose another folder"
            )
    return {folder: record for folder, record in records.items() if record is not None}


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


def runnable(
    family: Family, models: Sequence[str] | None, steps: Sequence[int] | None, machine: Machine
) -> tuple[Run, ...]:
    """The runs that were asked for, of models that can be run here.

    Raises:
        ValueError: a model is unknown; or it was named but cannot be run here; or none can; or none has these steps.
    """
    from hypersd.sampling.comparison import expand

    specs = family.specs if models is None else [family.spec(name) for name in models]
    reasons = {
        spec.name: found.reason for spec in specs if not (found := availability(family, spec, machine)).available
    }
    if reasons and (models is not None or len(reasons) == len(specs)):
        raise ValueError("; ".join(f"{name} cannot be run here: {reason}" for name, reason in reasons.items()))
    for name, reason in reasons.items():
        note(f"without {name}: {reason}")
    wanted = [spec.name for spec in specs if spec.name not in reasons]
    # Models that have only some of the step counts run at those; expand() would refuse them if it knew their names.
    runs = tuple(run for run in expand(family, None, steps) if run.model in wanted)
    idle = [name for name in wanted if name not in {run.model for run in runs}]
    if steps and idle and (models is not None or not runs):
        family.spec(idle[0]).recipe(steps[0])  # raises, and lists the step counts that there are
    return runs
