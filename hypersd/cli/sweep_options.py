"""`compare --grid`: its options, and by which score a model is good enough."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.options import argument, path
from hypersd.models.machine import Machine
from hypersd.models.specs import Family

if TYPE_CHECKING:
    from hypersd.evaluate.good_enough import QualityScore
    from hypersd.sampling.request import Request
    from hypersd.sampling.step_sweep import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """Options of a sweep.

    Args:
        order: of the rows.
        quality: score of the pictures; None if nothing scores them.
        remarks: for prompts whose pictures cannot be scored, a sentence that says why.
    """

    order: Order
    quality: QualityScore | None
    remarks: dict[str, str]


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
    group.add_argument(
        "--reward", type=argument(path), metavar="DIR", help="good enough by this reward model, not the family's judge"
    )


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


def sweep_options(
    options: argparse.Namespace, family: Family, requests: Sequence[Request], machine: Machine
) -> SweepOptions | None:
    """Options of the sweep, its score loaded and checked; None without `--grid`.

    Raises:
        OSError, ValueError: the reward model is missing or damaged, or a file of the family's judge is.
    """
    if not options.grid:
        return None
    order = options.sort or "listed"
    if options.reward is not None:
        return SweepOptions(order=order, quality=_rewarding(options.reward, family, machine), remarks={})
    from hypersd.evaluate.good_enough import check_scorable, quality_score

    remarks: dict[str, str] = {}
    for request in requests:
        try:
            check_scorable(family, request)
        except ValueError as error:
            remarks[request.prompt] = str(error)
    scorable = len(remarks) < len({request.prompt for request in requests})
    quality = quality_score(family, machine) if scorable else None
    return SweepOptions(order=order, quality=quality, remarks=remarks)


def _rewarding(folder: Path, family: Family, machine: Machine) -> QualityScore:
    from hypersd.cli.evaluations import reward_in
    from hypersd.evaluate.good_enough import quality_score

    return quality_score(family, machine, reward_in(folder))
