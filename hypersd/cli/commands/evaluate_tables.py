"""`evaluate tables`: the Hyper-SD paper's tables and figures with a family's models, the paper's numbers beside."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from hypersd.cli.arguments import refuse_given
from hypersd.cli.commands.evaluate_figures import CHOSEN_MODELS, write_figures
from hypersd.cli.evaluations import evaluated, report_failures
from hypersd.cli.output import emit, note, say
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.models.specs import Family

if TYPE_CHECKING:
    from hypersd.evaluate.evaluation import EvaluationResults
    from hypersd.evaluate.paper_tables import Absences
    from hypersd.models.engine import Engine

PROMPTS = 256
"""Of 64, object scores move by 3 % with two pictures."""

SCORE_PROMPTS = 16
"""Paths on which figure 3's errors are measured."""

_ECHOED = ("prompts", "count", "seed", "seeds", "reward", "reference", "metrics", "out")


def run_tables(options: argparse.Namespace, machine: Machine) -> int:
    """Make the tables and figures; returns the exit status.

    Raises:
        OSError: a file is missing or damaged, or cannot be written.
        ValueError: an option does not belong here, or no model of the tables can be run here.
    """
    refuse_given(options, CHOSEN_MODELS, "`evaluate tables` runs the models of the paper's tables")
    chosen = family(options.family)
    from hypersd.evaluate.evaluation_prompts import evaluation_prompts
    from hypersd.evaluate.paper_results import absence, paper_results
    from hypersd.models.engine import Engine
    from hypersd.sampling.request import Run

    paper = paper_results()
    architecture = paper.architecture_of(chosen)
    wanted = dict.fromkeys((row.model, row.steps) for table in paper.tables for row in table.rows.get(architecture, ()))
    reasons = {run: absence(chosen, *run, machine) for run in wanted}
    runs = tuple(Run(model=model, steps=steps) for (model, steps), reason in reasons.items() if not reason)
    if not runs:
        raise ValueError(
            f"no model of the paper's tables can be run here: {'; '.join(dict.fromkeys(reasons.values()))}"
        )
    prompts = evaluation_prompts(chosen, options.prompts, count=options.count, default=PROMPTS, seed=options.seed)
    engine = Engine(chosen, machine)
    with evaluated(options, engine, runs, prompts) as results:
        if results is None:
            return 0
        command = command_of(options)
        files = [*written_tables(results, engine, reasons, options.out, command), *figures(options, engine, command)]
    if options.json:
        emit({"family": chosen.name, "command": command, "rows": [row.finite() for row in results.rows]})
    else:
        for file in files:
            if file.suffix == ".md":
                say(file.read_text(encoding="utf-8"))
    note(f"written: {', '.join(str(file) for file in [*files, *results.files])}")
    return report_failures(results)


def command_of(options: argparse.Namespace) -> str:
    """The command that makes the same again."""
    words = ["python", "-m", "hypersd", "evaluate", "tables", "--family", options.family]
    for name in _ECHOED:
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", ",".join(value) if isinstance(value, tuple) else str(value)]
    return shlex.join(words)


def written_tables(
    results: EvaluationResults, engine: Engine, reasons: Absences, out: Path, command: str
) -> list[Path]:
    """Write the tables; returns their files."""
    from hypersd.evaluate.paper_results import absence, paper_results
    from hypersd.evaluate.paper_tables import method_table, number_table, write_text_table

    paper, chosen = paper_results(), engine.family
    means = {(row.model, row.steps): row for row in results.rows if row.n}
    absences = {run: reason or "failed" for run, reason in reasons.items()}
    known = {spec.name: spec.default_steps for spec in chosen.specs}
    no_method = {
        method.model: reason
        for method in paper.methods
        if (reason := absence(chosen, method.model, known.get(method.model, 1), engine.machine))
    }
    tables = [method_table(paper, chosen, no_method)]
    tables += [numbers for table in paper.tables if (numbers := number_table(table, paper, chosen, means, absences))]
    return [file for table in tables for file in write_text_table(table, out, command)]


def figures(options: argparse.Namespace, engine: Engine, command: str) -> list[Path]:
    """Draw the figures; returns their files."""
    files = score_figure_of(options, engine.family, command)
    return [*files, *write_figures(engine, options.out, options.seed, command)]


def score_figure_of(options: argparse.Namespace, chosen: Family, command: str) -> list[Path]:
    """Measure and draw figure 3, for a family on disk; returns its files, none for another family."""
    from hypersd.distill.score_figure import write_score_figure
    from hypersd.models.families.embedded import prompt_source

    if chosen.folder is None:
        return []
    prompts = prompt_source(chosen, "be judged").held_out(SCORE_PROMPTS, options.seed)
    return write_score_figure(chosen, prompts, options.out, seed=options.seed, command=command)
