"""`compare`: one prompt and one seed through several models; pictures, a grid and a record in a folder."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.errors import FAILED, complain
from hypersd.cli.folders import COMPARISON, command_folder
from hypersd.cli.options import (
    add_family,
    add_models_and_steps,
    argument,
    path,
    read_prompts,
    seed_number,
)
from hypersd.cli.output import emit, note, say, table, write_json
from hypersd.files import atomic_path
from hypersd.models.cards import Family
from hypersd.models.registry import Machine, availability, family

if TYPE_CHECKING:
    from hypersd.models.sharing import Engine
    from hypersd.sampling.request import Generation, Request, Run


GRID = "grid.png"


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "compare",
        help="draw one prompt with several models",
        description="Draw a prompt with several models, from the same noise. Writes MODEL.png for each (MODEL-N.png "
        "where a model runs at several step counts), grid.png and comparison.json; with --prompts the same in "
        "DIR/0000, DIR/0001, ...",
    )
    parser.add_argument("prompt", nargs="?", metavar="PROMPT")
    parser.add_argument(
        "--prompts", type=argument(path), metavar="FILE", help="a text file with one prompt a line, instead of PROMPT"
    )
    add_family(parser)
    add_models_and_steps(parser, "steps to run each model at that has them (default: each model's own)")
    parser.add_argument("--seed", type=argument(seed_number), default=0, metavar="N", help="default: 0")
    parser.add_argument("--out", type=argument(path), required=True, metavar="DIR")
    parser.add_argument(
        "--json", action="store_true", help="print what comparison.json says; with --prompts, a list of it"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare."""
    chosen = family(options.family)
    prompts = prompts_of(options)
    machine = Machine.here()
    runs = runnable(chosen, options.models, options.steps, machine)
    requests = list(requests_for(prompts, options, runs))
    homes = [Path() if options.prompts is None else Path(f"{index:04d}") for index in range(len(requests))]
    names = [(home / name).as_posix() for home in homes for name in (*picture_files(runs).values(), GRID, COMPARISON)]
    records: list[dict[str, Any]] = []
    with command_folder(options.out, "compare", names) as out:
        from hypersd.models.sharing import Engine

        engine = Engine(chosen, machine)
        for home, request in zip(homes, requests, strict=True):
            note(f"{out / home}: {request.prompt}")
            records.append(compare_into(out / home, request, engine))
    if options.json:
        emit(records[0] if options.prompts is None else records)
    else:
        say("\n\n".join(report(record) for record in records))
    failures = [run for record in records for run in record["runs"] if run["file"] is None]
    for run in failures:
        complain(f"{run['model']} at {run['steps']} steps: {run['error']}")
    return FAILED if failures else 0


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
    prompts = read_prompts(options.prompts)
    for number, prompt in enumerate(prompts, start=1):
        try:
            check_prompt(prompt)
        except ValueError as error:
            raise ValueError(f"{options.prompts}, prompt {number}: {error}") from error
    return prompts


def requests_for(prompts: Sequence[str], options: argparse.Namespace, runs: Sequence[Run]) -> Iterator[Request]:
    """A request for each prompt, all with one seed."""
    from hypersd.sampling.request import Request

    for prompt in prompts:
        yield Request(prompt=prompt, seed=options.seed, family=options.family, runs=tuple(runs))


def runnable(
    family: Family, models: Sequence[str] | None, steps: Sequence[int] | None, machine: Machine
) -> tuple[Run, ...]:
    """The runs that were asked for, of models that can be run here.

    Raises:
        ValueError: a model is unknown; or it was named but cannot be run here; or none can; or none has these steps.
    """
    from hypersd.sampling.compare import expand

    cards = family.cards if models is None else [family.card(name) for name in models]
    reasons = {
        card.name: found.reason for card in cards if not (found := availability(family, card, machine)).available
    }
    if reasons and (models is not None or len(reasons) == len(cards)):
        raise ValueError("; ".join(f"{name} cannot be run here: {reason}" for name, reason in reasons.items()))
    for name, reason in reasons.items():
        note(f"without {name}: {reason}")
    wanted = [card.name for card in cards if card.name not in reasons]
    # Models that have only some of the step counts run at those; expand() would refuse them if it knew their names.
    runs = tuple(run for run in expand(family, None, steps) if run.model in wanted)
    idle = [name for name in wanted if name not in {run.model for run in runs}]
    if steps and idle and (models is not None or not runs):
        family.card(idle[0]).recipe(steps[0])  # raises, and lists the step counts that there are
    return runs


def picture_files(runs: Sequence[Run]) -> dict[tuple[str, int | None], str]:
    """Names of the pictures, by model and steps: without the steps where a model runs at one number of them."""
    often = Counter(run.model for run in runs)
    return {
        (run.model, run.steps): f"{run.model}-{run.steps}.png" if often[run.model] > 1 else f"{run.model}.png"
        for run in runs
    }


def compare_into(folder: Path, request: Request, engine: Engine) -> dict[str, Any]:
    """Run a request, write its files to `folder`, and return what comparison.json says."""
    from hypersd.sampling.compare import compare, grid
    from hypersd.sampling.request import Generation

    files = picture_files(request.runs)
    generations: list[Generation] = []
    runs: list[dict[str, Any]] = []
    for result in compare(request, engine):
        if isinstance(result, Generation):
            generations.append(result)
            file = files[result.model, result.steps]
            runs.append(recorded(result, file))
            if result.image is not None:
                with atomic_path(folder / file) as part:
                    result.image.save(part)
                note(f"  {file}: {result.seconds:.2f} s")
    if any(generation.image is not None for generation in generations):
        with atomic_path(folder / GRID) as part:
            grid(request, generations).save(part)
    record = {"prompt": request.prompt, "seed": request.seed, "family": request.family, "runs": runs}
    write_json(folder / COMPARISON, record)
    return record


def recorded(generation: Generation, file: str) -> dict[str, Any]:
    """A result as comparison.json has it. A run that failed has no file, and says why in `error`."""
    record: dict[str, Any] = {
        "model": generation.model,
        "steps": generation.steps,
        "calls": generation.calls,
        "guidance_scale": generation.guidance_scale,
        "seconds": round(generation.seconds, 4),
        "file": file,
    }
    if generation.image is None:
        record |= {"file": None, "error": generation.error}
    return record


def report(record: dict[str, Any]) -> str:
    """A comparison as a table for people."""
    keys = ("model", "steps", "calls", "guidance_scale", "seconds", "file")
    header = ("model", "steps", "calls", "guidance", "seconds", "file")
    rows = [[run[key] if run[key] is not None else "failed" for key in keys] for run in record["runs"]]
    return f"{record['prompt']} (seed {record['seed']})\n{table(header, rows)}"
