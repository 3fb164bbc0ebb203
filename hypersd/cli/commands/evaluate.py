"""`evaluate`: every model at several step counts on held-out prompts, measured; tables, files and figures of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from hypersd.arena.service.prompt_files import PROMPT_FILE
from hypersd.cli.arguments import argument, control_mode, counted, names
from hypersd.cli.base_option import add_base, chosen_family
from hypersd.cli.commands.evaluate_control import run_control
from hypersd.cli.commands.evaluate_figures import run_figures
from hypersd.cli.commands.evaluate_tables import run_tables
from hypersd.cli.evaluations import evaluated, report_failures
from hypersd.cli.options import (
    add_backend,
    add_base_first,
    add_family,
    add_file,
    add_folder,
    add_models_and_steps,
    add_out,
    add_resume,
    add_seed,
    machine_of,
)
from hypersd.cli.output import emit, note, say
from hypersd.models.base_first import with_base_first
from hypersd.models.machine import Machine
from hypersd.models.specs import Family

if TYPE_CHECKING:
    from hypersd.evaluate.evaluation import EvaluationResults
    from hypersd.sampling.request import Run

STEPS = (1, 2, 4, 8, 25)
PROMPTS = 64


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure models on held-out prompts",
        description="Draw prompts that no training saw with each model, measure the pictures, and write metrics.csv, "
        "pictures.csv, table.md, figures, and the comparisons of the first prompts as grids. `evaluate tables` writes "
        "the Hyper-SD paper's tables (CSV, Markdown, LaTeX) and figures with the family's models instead, the paper's "
        "numbers beside; `evaluate figures` draws the figures alone, as a page of small pictures; "
        "`evaluate control` draws held-out scenes along their lines and measures how well the pictures follow them. "
        "Several processes (torchrun) share the prompts.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("tables", "figures", "control"),
        metavar="tables|figures|control",
        help="make the paper's tables and figures, or its figures alone as a gallery; or measure how well pictures "
        "follow the lines that they are given",
    )
    parser.add_argument(
        "--mode",
        type=argument(control_mode),
        metavar="M",
        help="lines of `evaluate control`: canny | scribble (default: canny)",
    )
    add_family(parser)
    add_base(parser)
    add_backend(parser)
    add_models_and_steps(parser, f"steps to run each model at that has them (default: {','.join(map(str, STEPS))})")
    add_file(parser, "--adapter", "measure this adapter, as the model `adapter`; alone, if --models names no other")
    parser.add_argument(
        "--like",
        metavar="MODEL",
        help="run the adapter by the recipes of this model (default: the family's unified Hyper-SD, or else hyper)",
    )
    add_base_first(parser)
    add_file(parser, "--prompts", f"prompts instead: {PROMPT_FILE}")
    parser.add_argument(
        "--count",
        type=counted(1, 100_000, "count"),
        metavar="N",
        help=f"how many of the family's prompts (default: {PROMPTS})",
    )
    add_seed(parser, "of the first prompt (default: 0)")
    parser.add_argument(
        "--seeds",
        type=counted(1, 64, "seeds"),
        default=1,
        metavar="N",
        help="pictures a prompt, from its seed on; their diversity is measured from 2 on (default: 1)",
    )
    add_folder(parser, "--reward", "also measure the reward, by the reward model in this folder")
    add_folder(
        parser,
        "--reference",
        "also measure FID from the pictures in this folder, for families of the Hub: Inception v3 with "
        "TensorFlow's weights, which are fetched once (the embedded family has scenes of its own)",
    )
    metrics_help = "which metrics (default: all by which the family is measured)"
    parser.add_argument("--metrics", type=argument(names), metavar="A,B", help=metrics_help)
    add_out(parser)
    add_resume(parser, "what is there")
    parser.add_argument("--json", action="store_true", help="print the rows of the table as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate."""
    machine = machine_of(options)
    if options.what is not None:
        return {"tables": run_tables, "figures": run_figures, "control": run_control}[options.what](options, machine)
    if options.mode is not None:
        raise ValueError("--mode sets the lines of `evaluate control`; leave it out")
    from hypersd.evaluate.evaluation_prompts import evaluation_prompts
    from hypersd.models.engine import Engine

    chosen, runs = models_of(options, machine)
    prompts = evaluation_prompts(chosen, options.prompts, count=options.count, default=PROMPTS, seed=options.seed)
    with evaluated(options, Engine(chosen, machine), runs, prompts) as results:
        return 0 if results is None else report(results, options)


def report(results: EvaluationResults, options: argparse.Namespace) -> int:
    """Print the results; returns the exit status."""
    from hypersd.evaluate.evaluation_report import markdown

    if options.json:
        document = {"family": options.family, "seed": options.seed, "seeds": options.seeds}
        emit(document | {"rows": [row.finite() for row in results.rows]})
    else:
        say(markdown(results.rows))
        note(f"written: {', '.join(str(file) for file in results.files)}")
    return report_failures(results)


def models_of(options: argparse.Namespace, machine: Machine) -> tuple[Family, tuple[Run, ...]]:
    """The family on the base that was asked for, with the user's adapter if there is one, and the runs.

    Raises:
        DownloadError, OSError: the base, a style or the adapter is missing, damaged, or made for another family.
        ValueError: a model or a number of steps is unknown, or cannot be run here.
    """
    from hypersd.models.user_adapter import ADAPTER, with_user_adapter
    from hypersd.sampling.runs import runnable

    models = options.models
    if options.adapter is not None:
        others = tuple(name for name in models or () if name != ADAPTER)
        chosen = with_user_adapter(chosen_family(options, others, machine), options.adapter, options.like, machine)
        models = (*others, ADAPTER)
    elif options.like is not None:
        raise ValueError("--like says how an adapter is run; name the adapter with --adapter")
    else:
        chosen = chosen_family(options, models, machine)
    if options.base_first:
        chosen = with_base_first(chosen, options.base_first)
    runs = runnable(chosen, models, options.steps or STEPS, machine, note)
    if options.adapter is not None:
        note(f"{ADAPTER}: {chosen.spec(ADAPTER).note}")
    return chosen, runs
