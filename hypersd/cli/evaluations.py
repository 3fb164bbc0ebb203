"""An evaluation as a command runs it: prompts, reward model and processes from its options."""

from __future__ import annotations

import argparse
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from hypersd.arena.service.prompt_files import read_prompt_file
from hypersd.cli.folders import EVALUATION, command_folder
from hypersd.cli.output import note
from hypersd.cli.parser import FAILED, complain
from hypersd.feedback.reward.reward_folder import WEIGHTS, check_reward
from hypersd.models.specs import Capability, Family
from hypersd.resources import assets_folder

if TYPE_CHECKING:
    from hypersd.evaluate.evaluation import EvaluationResults
    from hypersd.evaluate.metric_sources import RewardFunction
    from hypersd.models.engine import Engine
    from hypersd.models.machine import Machine
    from hypersd.sampling.request import Run
    from hypersd.training.sources.picture_folder import PictureFolder

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

    from hypersd.evaluate.evaluation import EvaluationPlan, evaluate
    from hypersd.evaluate.metric_sources import INCEPTION
    from hypersd.evaluate.reference_pictures import PictureReference
    from hypersd.evaluate.suite import MetricSuite, check_measurable
    from hypersd.sampling.remarks import word_remarks

    chosen, machine = engine.family, engine.machine
    check_reward_options(options)
    check_measurable(chosen, machine, options.metrics)
    real = None if options.reference is None else reference_pictures(options.reference, chosen, machine)
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
    processes = PartialState(cpu=machine.device == "cpu", timeout=_PATIENCE)
    suite = MetricSuite.of(
        chosen,
        machine,
        None if options.reward is None else reward_in(options.reward),
        options.metrics,
        inception=real is not None,
    )
    if not processes.is_main_process:
        yield evaluate(plan, engine, suite, options.out, processes, resume=options.resume)
        return
    for remark in dict.fromkeys(remark for prompt in prompts for remark in word_remarks(chosen, prompt)):
        note(remark)
    with command_folder(options.out, "evaluate", EVALUATION, keep=options.resume) as out:
        near = None if real is None else PictureReference.of(real, suite.scorers[INCEPTION])
        yield evaluate(plan, engine, suite, out, processes, resume=options.resume, reference=near)


def reference_pictures(folder: Path, chosen: Family, machine: Machine) -> PictureFolder:
    """The pictures in a folder that FID is measured from; they and its network are looked for before any work.

    Raises:
        ValueError: the family is not measured by FID, or there are too few pictures.
        OSError: the folder is missing, or the network's weights are and cannot be fetched.
    """
    from hypersd.evaluate.metric_sources import INCEPTION
    from hypersd.evaluate.reference_pictures import check_reference

    if not INCEPTION.applies(chosen):
        raise ValueError(
            f"pictures of {chosen.name} are compared with scenes of its own; --reference is for families of the Hub"
        )
    pictures = check_reference(folder)
    INCEPTION.check(chosen, machine)
    return pictures


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


def prompts_of(options: argparse.Namespace, chosen: Family, default: int) -> list[str]:
    """The prompts to draw: those of the file, or the family's own. A judge of the family must be able to read them.

    Args:
        options: of the command.
        chosen: the family.
        default: how many of the family's own, if the options do not say.

    Raises:
        OSError: the file of prompts, or a file of the family's world, cannot be read.
        ValueError: there is no prompt in it, or one that cannot be drawn or judged; or there are not as many.
    """
    from hypersd.models.families.embedded import judged_prompt_check, prompt_source
    from hypersd.sampling.request import check_prompt

    judged = Capability.JUDGE in chosen.parts
    if options.prompts is not None:
        if options.count is not None:
            raise ValueError("--count is for held-out prompts; all prompts of --prompts are drawn")
        check = judged_prompt_check(chosen) if judged else check_prompt
        return read_prompt_file(options.prompts, lambda prompt: check(check_prompt(prompt)))
    if judged:
        return prompt_source(chosen, "be judged").held_out(options.count or default, options.seed)
    prompts = read_prompt_file(assets_folder() / "prompts" / f"{chosen.prompt_set}.txt")
    if options.count is not None and options.count > len(prompts):
        raise ValueError(f"{chosen.name} has {len(prompts)} prompts of its own; name a file of more with --prompts")
    return prompts[: options.count or default]


def report_failures(results: EvaluationResults) -> int:
    """Print warnings, and an error for each run that failed; returns the exit status."""
    for warning in results.warnings:
        note(warning)
    errors = {(failure.model, failure.steps): failure.error for failure in reversed(results.failures)}
    for (model, steps), error in errors.items():
        complain(f"{model} at {steps} steps: {error}")
    return FAILED if errors else 0
