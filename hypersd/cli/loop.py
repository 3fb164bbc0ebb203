"""`loop`: from votes to a new contestant, round after round."""

from __future__ import annotations

import argparse
from functools import cache
from typing import Any

from hypersd.cli.feedback import METHODS
from hypersd.cli.folders import ROUNDS, command_folder
from hypersd.cli.options import add_family, argument, fraction, path, seed_number, source, whole_number
from hypersd.cli.output import emit, say, show_log
from hypersd.cli.reward import gather, kinds_of_prompts
from hypersd.cli.votes import add_kind
from hypersd.models.entrants import entrants_folder
from hypersd.models.registry import family

SIMULATE = "simulate"
_TASTES = ("plain", "vivid", "muted")


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "loop", help="votes to reward model to tuned adapter to contestant to blind battles, round after round"
    )
    parser.add_argument(
        "--votes",
        type=argument(source),
        metavar="SOURCE",
        help=f"{SIMULATE}: voters are simulated; or an export as for `reward train` (default: the vote store)",
    )
    add_kind(parser, None)
    rounds = argument(lambda text: whole_number(text, 1, 100, "rounds"))
    parser.add_argument("--rounds", type=rounds, default=1, metavar="N", help="default: 1")
    parser.add_argument("--model", default="hyper", help="which model the first round tunes (default: hyper)")
    parser.add_argument("--method", choices=METHODS, default="refl", help="default: refl")
    parser.add_argument(
        "--beside", choices=METHODS, help="tune with the same votes by this method too, and compare the two"
    )
    parser.add_argument("--taste", choices=_TASTES, default="plain", help="of simulated voters (default: plain)")
    parser.add_argument("--out", type=argument(path), required=True, metavar="DIR", help="a folder for each round")
    add_family(parser)
    parser.add_argument(
        "--shorten",
        type=argument(fraction),
        default=1.0,
        metavar="X",
        help="this fraction of everything but the reward model's training",
    )
    parser.add_argument("--seed", type=argument(seed_number), default=0, metavar="N", help="default: 0")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Go round."""
    chosen = family(options.family)
    if chosen.world is None:
        raise ValueError(f"{chosen.name} cannot go round: its base is not in a folder with scenes and a judge")
    chosen.card(options.model)
    if options.beside == options.method:
        raise ValueError(f"--beside {options.beside} is the method itself; name the other one")
    show_log()
    from hypersd.feedback.loop import Loop
    from hypersd.feedback.size import Size

    votes = options.votes
    with command_folder(options.out, "loop", ROUNDS, keep=True) as out:
        rounds = Loop(
            family=chosen,
            start=options.model,
            out=out,
            entrants=entrants_folder(),
            # Once a round: each stage asks, a source may be far away, and what a round began with is what it keeps.
            gather=None if votes == SIMULATE else cache(lambda folder: gather(votes, options.kind, folder)),
            taste=options.taste,
            method=options.method,
            beside=options.beside,
            kind_of=kinds_of_prompts(chosen.world),
            size=Size().shortened(options.shorten),
            seed=options.seed,
        ).run(options.rounds)
    told: list[dict[str, Any]] = [
        {
            "round": one.number,
            "contestant": (one.done("contestant") or {})["name"],
            "accuracy": (one.done("reward") or {})["accuracy"],
            "wins": (one.done("battles") or {})["steps"],
            "report": str(one.folder / "report.md"),
        }
        for one in rounds
    ]
    if options.json:
        emit(told)
    else:
        for one in told:
            wins = ", ".join(
                f"{share['value']:.0%} at {steps} ({share['low']:.0%} to {share['high']:.0%})"
                for steps, share in one["wins"].items()
            )
            say(f"round {one['round']}: {one['contestant']} wins {wins or 'no battle yet'}; {one['report']}")
    return 0
