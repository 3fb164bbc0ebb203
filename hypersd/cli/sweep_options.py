"""`compare --grid`: its options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hypersd.cli.options import add_folder
from hypersd.cli.output import note
from hypersd.models.machine import Machine
from hypersd.models.specs import Family

if TYPE_CHECKING:
    from hypersd.evaluate.sweep_folder import SweepWriter
    from hypersd.sampling.request import Request


def add_sweep(parser: Any) -> None:
    """Add `--grid` and what belongs to it."""
    group = parser.add_argument_group("sweep")
    group.add_argument(
        "--grid",
        action="store_true",
        help="models x steps (default: 1, 2, 4, 8 and each model's own), with seconds and calls in every cell, and "
        "a mark at the fewest steps that are good enough",
    )
    group.add_argument(
        "--sort",
        choices=("listed", "fastest"),
        help="order of the grid's rows (default: listed; fastest by mean seconds)",
    )
    add_folder(group, "--reward", "good enough by this reward model, not the family's judge")


def check_sweep(options: argparse.Namespace) -> None:
    """See that options of a sweep are given with `--grid` only.

    Raises:
        ValueError: they are not.
    """
    for name in ("sort", "reward"):
        if getattr(options, name) is not None and not options.grid:
            raise ValueError(f"--{name} belongs to a sweep; add --grid")


def steps_of(options: argparse.Namespace, family: Family) -> Sequence[int] | None:
    """Numbers of steps that were asked for; those of a usual sweep with `--grid`, else None for each model's own."""
    from hypersd.sampling.step_sweep import usual_steps

    return options.steps or (usual_steps(family, options.models) if options.grid else None)


def sweep_writer(
    options: argparse.Namespace, family: Family, requests: Sequence[Request], machine: Machine
) -> SweepWriter | None:
    """Writer of the sweep, its score loaded and checked; None without `--grid`.

    Raises:
        OSError, ValueError: the reward model is missing or damaged, or a file of the family's judge is.
    """
    if not options.grid:
        return None
    from hypersd.evaluate.sweep_folder import SweepWriter

    reward = None
    if options.reward is not None:
        from hypersd.feedback.reward.reward_model import RewardModel

        reward = RewardModel.load(options.reward).score
    return SweepWriter.of(family, machine, requests, order=options.sort or "listed", reward=reward, progress=note)
