"""An evaluation as a command runs it: prompts, reward model and processes from its options."""

from __future__ import annotations

import argparse
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from hypersd.cli.folders import EVALUATION, command_folder
from hypersd.cli.output import note
from hypersd.cli.parser import FAILED, complain
from hypersd.feedback.reward.reward_folder import reward_digest

if TYPE_CHECKING:
    from hypersd.evaluate.evaluation import EvaluationResults
    from hypersd.models.engine import Engine
    from hypersd.sampling.request import Run

_PATIENCE = timedelta(days=30)
"""Time that a process waits for the others."""


@contextmanager
def evaluated(
    options: argparse.Namespace, engine: Engine, runs: tuple[Run, ...], prompts: list[str]
) -> Generator[EvaluationResults | None]:
    """Check what the options name, draw and measure, and yield the results while the folder is open.

    Every process that torchrun started takes its share; all but the main one get None.

    Raises:
        OSError: a file is missing or damaged, or cannot be written.
        ValueError: a metric is unknown, or the family has not what it needs; or something else is in the folder.
    """
    from accelerate import PartialState

    from hypersd.cli.drawing import drawing
    from hypersd.evaluate.evaluation import EvaluationPlan, evaluate
    from hypersd.evaluate.metric_sources import INCEPTION
    from hypersd.evaluate.reference_pictures import PictureReference, measurable_reference
    from hypersd.evaluate.suite import MetricSuite, check_measurable
    from hypersd.sampling.remarks import word_remarks

    chosen, machine = engine.family, engine.machine
    check_reward_options(options)
    check_measurable(chosen, machine, options.metrics)
    real = None if options.reference is None else measurable_reference(options.reference, chosen, machine)
    digest = None if options.reward is None else reward_digest(options.reward)
    plan = EvaluationPlan(
        family=chosen,
        prompts=tuple(prompts),
        runs=runs,
        seed=options.seed,
        seeds=options.seeds,
        reward=digest,
        reference=None if real is None else real.fingerprint,
    )
    reward = None
    if options.reward is not None:
        from hypersd.feedback.reward.reward_model import RewardModel

        reward = RewardModel.load(options.reward).score
    processes = PartialState(cpu=machine.device == "cpu", timeout=_PATIENCE)
    suite = MetricSuite.of(
        chosen,
        machine,
        reward,
        options.metrics,
        inception=real is not None,
    )
    if not processes.is_main_process:
        yield evaluate(plan, engine, suite, options.out, processes, resume=options.resume)
        return
    for remark in dict.fromkeys(remark for prompt in prompts for remark in word_remarks(chosen, prompt)):
        note(remark)
    with command_folder(options.out, "evaluate", EVALUATION, keep=options.resume) as out:
        near = None if real is None else partial(PictureReference.of, real, suite.scorers[INCEPTION])
        with drawing(engine) as draw_all:
            yield evaluate(
                plan, engine, suite, out, processes, resume=options.resume, reference=near, draw_all=draw_all
            )


def check_reward_options(options: argparse.Namespace) -> None:
    """See that a reward model is given where metrics are chosen and the reward is one of them, and only there.

    Raises:
        ValueError: it is not.
    """
    if options.metrics is None:
        return
    if "reward" in options.metrics and options.reward is None:
        raise ValueError("the metric 'reward' is a reward model's; name its folder with --reward")
    if options.reward is not None and "reward" not in options.metrics:
        raise ValueError("--reward measures the metric 'reward'; add it to --metrics")


def report_failures(results: EvaluationResults) -> int:
    """Print warnings, and an error for each run that failed; returns the exit status."""
    for warning in results.warnings:
        note(warning)
    errors = {(failure.model, failure.steps): failure.error for failure in reversed(results.failures)}
    for (model, steps), error in errors.items():
        complain(f"{model} at {steps} steps: {error}")
    return FAILED if errors else 0
