"""`evaluate`: every model at several step counts on held-out prompts, judged; tables, files and figures of it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.arena.service.prompt_files import PROMPT_FILE, read_prompt_file
from hypersd.cli.commands.compare import runnable
from hypersd.cli.folders import EVALUATION, command_folder
from hypersd.cli.options import (
    add_family,
    add_models_and_steps,
    argument,
    path,
    seed_number,
    whole_number,
)
from hypersd.cli.output import emit, note, say
from hypersd.cli.parser import FAILED, complain
from hypersd.feedback.reward.reward_folder import check_reward
from hypersd.models.registry import Machine, family
from hypersd.models.specs import Capability, Family
from hypersd.sampling.record import grid_texts, run_record, versions
from hypersd.utils.model_folders import check_clip

if TYPE_CHECKING:
    from hypersd.emoji.world import World
    from hypersd.evaluate.evaluation_report import ReportRow
    from hypersd.evaluate.suite import MeasuredImage, MetricSuite, RewardFunction
    from hypersd.models.engine import Engine
    from hypersd.sampling.request import Generation, Request, Run

STEPS = (1, 2, 4, 8, 25)
PROMPTS = 64
MOST_SEEDS = 64
GRIDS = 4
"""Number of comparisons that are kept as pictures, to be looked at."""


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure models on held-out prompts",
        description="Draw prompts that no training saw with each model, judge the pictures, and write metrics.csv, "
        f"pictures.csv, table.md, figures, and the comparisons of the first {GRIDS} prompts as grids.",
    )
    add_family(parser)
    add_models_and_steps(parser, f"steps to run each model at that has them (default: {','.join(map(str, STEPS))})")
    parser.add_argument("--prompts", type=argument(path), metavar="FILE", help=f"prompts instead: {PROMPT_FILE}")
    parser.add_argument(
        "--count",
        type=argument(lambda text: whole_number(text, 1, 100_000, "count")),
        metavar="N",
        help=f"how many held-out prompts (default: {PROMPTS})",
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
    parser.add_argument("--out", type=argument(path), required=True, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print the rows of the table as JSON")
    parser.set_defaults(run=run)


@dataclass(kw_only=True)
class ModelResults:
    """Measurements of one model at one number of steps."""

    images: list[MeasuredImage] = field(default_factory=list["MeasuredImage"])
    errors: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


def run(options: argparse.Namespace) -> int:
    """Evaluate."""
    chosen = family(options.family)
    folder = chosen.require(Capability.JUDGE, "be evaluated").parent
    check_clip(folder / "clip")
    prompts = prompts_of(options, folder)
    if options.reward is not None:
        check_reward(options.reward)
    runs = runnable(chosen, options.models, options.steps or STEPS, Machine.here())
    reward = None if options.reward is None else reward_in(options.reward)
    with command_folder(options.out, "evaluate", EVALUATION) as out:
        rows, by_run, files = measure(chosen, requests_for(prompts, options, runs), reward, out)
    from hypersd.evaluate.evaluation_report import markdown

    if options.json:
        document = {"family": chosen.name, "seed": options.seed, "seeds": options.seeds}
        emit(document | {"rows": [finite(row) for row in rows]})
    else:
        say(markdown(rows))
        note(f"written: {', '.join(str(file) for file in files)}")
    for warning in dict.fromkeys(each for results in by_run.values() for each in results.warnings):
        note(warning)
    errors = {name: results.errors[0] for name, results in by_run.items() if results.errors}
    for (model, steps), error in errors.items():
        complain(f"{model} at {steps} steps: {error}")
    return FAILED if errors else 0


def measure(
    chosen: Family, requests: Sequence[tuple[Request, ...]], reward: RewardFunction | None, out: Path
) -> tuple[list[ReportRow], Mapping[tuple[str, int], ModelResults], list[Path]]:
    """Draw and judge everything, and write the files; returns the table's rows, what was seen, and the files.

    Args:
        chosen: the family.
        requests: those of each prompt.
        reward: also measured, if there is one.
        out: where the files go.
    """
    from tqdm import tqdm

    from hypersd.evaluate.evaluation_report import write_report
    from hypersd.evaluate.metrics import write_pictures
    from hypersd.evaluate.suite import MetricSuite
    from hypersd.models.engine import Engine
    from hypersd.sampling.comparison import grid
    from hypersd.sampling.png import write_png
    from hypersd.sampling.remarks import word_remarks

    suite = MetricSuite.of(chosen.require(Capability.JUDGE, "be evaluated").parent, chosen.pixels, reward)
    prompts = [several[0].prompt for several in requests]
    for remark in dict.fromkeys(each for prompt in prompts for each in word_remarks(chosen, prompt)):
        note(remark)
    by_run = {
        (run.model, chosen.spec(run.model).recipe(run.steps).steps): ModelResults() for run in requests[0][0].runs
    }
    engine = Engine(chosen, Machine.here())
    for index, several in enumerate(tqdm(requests, desc="prompts")):
        drawn = [(request, draw(request, engine)) for request in several]
        count(suite, drawn, by_run)
        if index < GRIDS and any(generation.image is not None for generation in drawn[0][1]):
            request, generations = drawn[0]
            records = [run_record(generation, chosen, None) for generation in generations]
            texts = grid_texts(request, records, {"versions": versions()})
            write_png(out / f"grid-{index:04d}.png", grid(request, generations), texts)
    rows = rows_of(by_run, suite, prompts)
    write_pictures([look.metrics for results in by_run.values() for look in results.images], out / "pictures.csv")
    files = [*write_report(rows, out), out / "pictures.csv"]
    return rows, by_run, files


def reward_in(folder: Path) -> RewardFunction:
    """The reward model in a folder.

    Raises:
        OSError: a part of it is missing.
        ValueError: something else is in the folder.
    """
    from hypersd.feedback.reward.reward_model import RewardModel

    return RewardModel.load(folder).score


def prompts_of(options: argparse.Namespace, folder: Path) -> list[str]:
    """The prompts to draw, each of which the judge can read.

    Args:
        options: of the command.
        folder: of the world whose objects the judge knows.

    Raises:
        OSError: the file of prompts, or a file of the world, cannot be read.
        ValueError: there is no prompt in it, or one that does not say what the judge should look for.
    """
    from hypersd.emoji.prompts import held_out_prompts
    from hypersd.emoji.world import World

    world = World.load(folder)
    if options.prompts is None:
        return held_out_prompts(world, PROMPTS if options.count is None else options.count, options.seed)
    if options.count is not None:
        raise ValueError("--count is for held-out prompts; all prompts of --prompts are drawn")
    return read_prompt_file(options.prompts, lambda prompt: check_judged(world, prompt))


def check_judged(world: World, prompt: str) -> None:
    """See that a prompt can be drawn, and says what the judge should look for.

    Raises:
        ValueError: it cannot, or does not.
    """
    from hypersd.emoji.captions import read
    from hypersd.sampling.request import check_prompt

    reading = read(world, check_prompt(prompt))
    if len(reading.objects) not in (1, 2) or reading.background is None:
        raise ValueError(
            "the judge needs one or two objects and a background, as in 'a big cat on a blue background', "
            f"not {prompt[:80]!r}"
        )


def requests_for(prompts: Sequence[str], options: argparse.Namespace, runs: Sequence[Run]) -> list[tuple[Request, ...]]:
    """The requests of each prompt: one a seed, from the prompt's own on, which is one above that of the last prompt."""
    from hypersd.sampling.request import Request

    return [
        tuple(
            Request(
                prompt=prompt, seed=(options.seed + index + number) % 2**32, family=options.family, runs=tuple(runs)
            )
            for number in range(options.seeds)
        )
        for index, prompt in enumerate(prompts)
    ]


def draw(request: Request, engine: Engine) -> list[Generation]:
    """The results of a request, as they came."""
    from hypersd.sampling.comparison import compare
    from hypersd.sampling.request import Generation

    return [result for result in compare(request, engine) if isinstance(result, Generation)]


def count(
    suite: MetricSuite,
    drawn: Sequence[tuple[Request, Sequence[Generation]]],
    by_run: Mapping[tuple[str, int], ModelResults],
) -> None:
    """Measure the pictures of one prompt, and add the metrics to those of their runs."""
    results = [(request.seed, generation) for request, generations in drawn for generation in generations]
    for _, result in results:
        collected = by_run[result.model, result.steps]
        collected.warnings.extend(result.warnings)
        if result.image is None:
            collected.errors.append(result.error or "no picture")
    for look in suite.measure(drawn[0][0].prompt, results):
        by_run[look.metrics.model, look.metrics.steps].images.append(look)


def rows_of(
    by_run: Mapping[tuple[str, int], ModelResults], suite: MetricSuite, prompts: Sequence[str]
) -> list[ReportRow]:
    """Rows of the table, from the measurements; rendered scenes are drawn only if there are pictures enough."""
    import numpy as np

    from hypersd.evaluate.evaluation_report import ReportRow
    from hypersd.evaluate.frechet import LEAST
    from hypersd.evaluate.reference import Reference

    enough = any(len(results.images) >= LEAST for results in by_run.values())
    reference = Reference(suite.judge.world, prompts, suite.judge.side, suite.clip) if enough else None
    return [
        ReportRow.of(
            model,
            steps,
            [look.metrics for look in results.images],
            np.array([look.features for look in results.images]),
            reference,
        )
        for (model, steps), results in by_run.items()
    ]


def finite(row: ReportRow) -> dict[str, Any]:
    """A row for JSON, which has no word for what is not a number: null."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.flat().items()
    }
