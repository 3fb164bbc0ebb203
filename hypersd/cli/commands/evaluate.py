"""`evaluate`: every model at several step counts on held-out prompts, measured; tables, files and figures of it."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.arena.service.prompt_files import PROMPT_FILE, read_prompt_file
from hypersd.cli.commands.compare import runnable
from hypersd.cli.folders import EVALUATION, command_folder
from hypersd.cli.options import (
    add_base_first,
    add_family,
    add_models_and_steps,
    argument,
    names,
    path,
    seed_number,
    whole_number,
)
from hypersd.cli.output import emit, note, say
from hypersd.cli.parser import FAILED, complain
from hypersd.feedback.reward.reward_folder import WEIGHTS, check_reward
from hypersd.models.base_first import with_base_first
from hypersd.models.registry import Machine, family
from hypersd.models.specs import Family
from hypersd.resources import assets_folder

if TYPE_CHECKING:
    from hypersd.evaluate.evaluation import EvaluationResults
    from hypersd.evaluate.metric_sources import RewardFunction
    from hypersd.sampling.request import Run

STEPS = (1, 2, 4, 8, 25)
PROMPTS = 64
MOST_SEEDS = 64
_PATIENCE = timedelta(days=30)
"""Time that a process waits for the others."""


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure models on held-out prompts",
        description="Draw prompts that no training saw with each model, measure the pictures, and write metrics.csv, "
        "pictures.csv, table.md, figures, and the comparisons of the first prompts as grids. Several processes "
        "(torchrun) share the prompts.",
    )
    add_family(parser)
    add_models_and_steps(parser, f"steps to run each model at that has them (default: {','.join(map(str, STEPS))})")
    parser.add_argument(
        "--adapter",
        type=argument(path),
        metavar="FILE",
        help="measure this adapter, as the model `adapter`; alone, if --models names no other",
    )
    parser.add_argument(
        "--like",
        metavar="MODEL",
        help="run the adapter by the recipes of this model (default: the family's unified Hyper-SD, or else hyper)",
    )
    add_base_first(parser)
    parser.add_argument("--prompts", type=argument(path), metavar="FILE", help=f"prompts instead: {PROMPT_FILE}")
    parser.add_argument(
        "--count",
        type=argument(lambda text: whole_number(text, 1, 100_000, "count")),
        metavar="N",
        help=f"how many of the family's prompts (default: {PROMPTS})",
    )
    parser.add_argument(
        "--seed", type=argument(seed_number), default=0, metavar="N", help="of the first prompt (default: 0)"
    )
    parser.add_argument(
        "--seeds",
        type=argument(lambda text: whole_number(text, 1, MOST_SEEDS, "seeds")),
        default=1,
        metavar="N",
        help="pictures a prompt, from its seed on; their diversity is measured from 2 on (default: 1)",
    )
    parser.add_argument(
        "--reward",
        type=argument(path),
        metavar="DIR",
        help="also measure the reward, by the reward model in this folder",
    )
    parser.add_argument(
        "--metrics",
        type=argument(names),
        metavar="A,B",
        help="which metrics (default: all by which the family is measured)",
    )
    parser.add_argument("--out", type=argument(path), required=True, metavar="DIR")
    parser.add_argument(
        "--resume", action="store_true", help="go on in DIR where the same command was interrupted; keep what is there"
    )
    parser.add_argument("--json", action="store_true", help="print the rows of the table as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate."""
    machine = Machine.here()
    chosen, runs = models_of(options, machine)
    prompts = prompts_of(options, chosen)
    from hypersd.evaluate.suite import MetricSuite, check_measurable

    check_measurable(chosen, machine, options.metrics)
    digest = None if options.reward is None else reward_digest(options.reward)
    from accelerate import PartialState

    from hypersd.evaluate.evaluation import EvaluationPlan, evaluate
    from hypersd.models.engine import Engine
    from hypersd.sampling.remarks import word_remarks

    plan = EvaluationPlan(
        family=chosen, prompts=tuple(prompts), runs=runs, seed=options.seed, seeds=options.seeds, reward=digest
    )
    processes = PartialState(cpu=machine.device == "cpu", timeout=_PATIENCE)
    if not processes.is_main_process:
        folder = nullcontext(options.out)
    else:
        folder = command_folder(options.out, "evaluate", EVALUATION, keep=options.resume)
        for remark in dict.fromkeys(remark for prompt in prompts for remark in word_remarks(chosen, prompt)):
            note(remark)
    reward = None if options.reward is None else reward_in(options.reward)
    with folder as out:
        suite = MetricSuite.of(chosen, machine, reward, options.metrics)
        results = evaluate(plan, Engine(chosen, machine), suite, out, processes, resume=options.resume)
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
    for warning in results.warnings:
        note(warning)
    errors = {(failure.model, failure.steps): failure.error for failure in reversed(results.failures)}
    for (model, steps), error in errors.items():
        complain(f"{model} at {steps} steps: {error}")
    return FAILED if errors else 0


def models_of(options: argparse.Namespace, machine: Machine) -> tuple[Family, tuple[Run, ...]]:
    """The family, with the user's adapter if there is one, and the runs that were asked for.

    Raises:
        OSError: the adapter is missing, damaged, or made for another family.
        ValueError: a model or a number of steps is unknown, or cannot be run here.
    """
    from hypersd.models.user_adapter import ADAPTER, adapter_spec

    chosen = family(options.family)
    models = options.models
    if options.adapter is not None:
        spec = adapter_spec(chosen, options.adapter, options.like, machine)
        chosen = replace(chosen, specs=(*chosen.specs, spec))
        models = (*(name for name in models or () if name != ADAPTER), ADAPTER)
    elif options.like is not None:
        raise ValueError("--like says how an adapter is run; name the adapter with --adapter")
    if options.base_first:
        chosen = with_base_first(chosen, options.base_first)
    runs = runnable(chosen, models, options.steps or STEPS, machine)
    if options.adapter is not None:
        note(f"{ADAPTER}: {chosen.spec(ADAPTER).note}")
    return chosen, runs


def reward_digest(folder: Path) -> str:
    """The SHA-256 of the reward model in a folder, which is looked over.

    Raises:
        OSError: a part of it is missing.
        ValueError: something else is in the folder.
    """
    check_reward(folder)
    with (folder / WEIGHTS).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def reward_in(folder: Path) -> RewardFunction:
    """The reward model in a folder.

    Raises:
        OSError: a part of it is missing.
        ValueError: something else is in the folder.
    """
    from hypersd.feedback.reward.reward_model import RewardModel

    return RewardModel.load(folder).score


def prompts_of(options: argparse.Namespace, chosen: Family) -> list[str]:
    """The prompts to draw: those of the file, or the family's own. A judge of the family must be able to read them.

    Raises:
        OSError: the file of prompts, or a file of the family's world, cannot be read.
        ValueError: there is no prompt in it, or one that cannot be drawn or judged; or there are not as many.
    """
    from hypersd.models.families.embedded import judged_prompt_check, judged_prompts
    from hypersd.models.specs import Capability
    from hypersd.sampling.request import check_prompt

    judged = Capability.JUDGE in chosen.parts
    if options.prompts is not None:
        if options.count is not None:
            raise ValueError("--count is for held-out prompts; all prompts of --prompts are drawn")
        check = judged_prompt_check(chosen) if judged else check_prompt
        return read_prompt_file(options.prompts, lambda prompt: check(check_prompt(prompt)))
    if judged:
        return judged_prompts(chosen, options.count or PROMPTS, options.seed)
    prompts = read_prompt_file(assets_folder() / "prompts" / f"{chosen.prompt_set}.txt")
    if options.count is not None and options.count > len(prompts):
        raise ValueError(f"{chosen.name} has {len(prompts)} prompts of its own; name a file of more with --prompts")
    return prompts[: options.count or PROMPTS]
