"""`loop`: from votes to a new contestant, round after round."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.arguments import argument, counted, source
from hypersd.cli.folders import ROUNDS, command_folder
from hypersd.cli.options import add_family, add_json, add_kind, add_out, add_seed, add_shorten
from hypersd.cli.output import emit, say, show_log
from hypersd.feedback.tuning.tuning_methods import METHODS
from hypersd.models.families.embedded import check_world
from hypersd.models.machine import Machine
from hypersd.models.registered import registered_folder
from hypersd.models.registry import family, tunable, tuning_availability
from hypersd.models.specs import Capability
from hypersd.training.states import check_states
from hypersd.utils.environment import Environment
from hypersd.utils.model_folders import check_clip, check_perception

if TYPE_CHECKING:
    from hypersd.feedback.loop.rounds import Round
    from hypersd.models.specs import Family

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
    rounds = counted(1, 100, "rounds")
    parser.add_argument("--rounds", type=rounds, default=1, metavar="N", help="default: 1")
    parser.add_argument("--model", default="hyper", help="which model the first round tunes (default: hyper)")
    parser.add_argument("--method", choices=METHODS, default="refl", help="default: refl")
    parser.add_argument(
        "--beside", choices=METHODS, help="tune with the same votes by this method too, and compare the two"
    )
    parser.add_argument("--taste", choices=_TASTES, default="plain", help="of simulated voters (default: plain)")
    add_out(parser, "a folder for each round")
    add_family(parser)
    add_shorten(parser, "this fraction of everything but the reward model's training")
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the rounds."""
    chosen = family(options.family)
    world = chosen.require(Capability.JUDGE, "run the loop").parent
    tunable(chosen, options.model)
    if options.beside == options.method:
        raise ValueError(f"--beside {options.beside} is the method itself; name the other one")
    if options.votes == SIMULATE and options.kind == "human":
        raise ValueError("simulated voters are not human; leave out --kind, or name the votes of people with --votes")
    check_files(options, chosen, world)
    able = tuning_availability(chosen, chosen.spec(options.model), Machine.here())
    if not able.available:
        raise ValueError(f"{options.model} of {chosen.name} cannot be tuned here: {able.reason}")
    show_log()
    from hypersd.feedback.loop.feedback_loop import FeedbackLoop
    from hypersd.feedback.loop.scale import LoopScale
    from hypersd.feedback.preferences.gathering import gather_preferences
    from hypersd.feedback.preferences.prompt_kinds import kinds_of_prompts

    votes = options.votes
    with command_folder(options.out, "loop", ROUNDS, keep=True) as out:
        rounds = FeedbackLoop(
            family=chosen,
            start=options.model,
            out=out,
            registered=registered_folder(Environment.read().data),
            gather=None if votes == SIMULATE else lambda folder: gather_preferences(votes, options.kind, folder),
            taste=options.taste,
            method=options.method,
            beside=options.beside,
            kind_of=kinds_of_prompts(chosen),
            scale=LoopScale().shortened(options.shorten),
            seed=options.seed,
        ).run(options.rounds)
    if options.json:
        emit([summary(current) for current in rounds])
    else:
        for current in rounds:
            say(sentence(current))
    return 0


def check_files(options: argparse.Namespace, family: Family, world: Path) -> None:
    """See that the files of the world, of the rounds that are done, and of trainings that go on, are there and whole.

    Raises:
        OSError: one is missing.
        ValueError: one is damaged, or something else.
    """
    from hypersd.feedback.loop.round_stages import STAGES
    from hypersd.feedback.loop.rounds import rounds
    from hypersd.feedback.preferences.gathering import check_votes

    check_world(family, "run the loop")
    check_clip(world / "clip")
    perception = family.part(Capability.PERCEPTION)
    if perception is not None:
        check_perception(perception)
    for begun in rounds(options.out):
        for stage in STAGES:
            begun.done(stage)
    check_states(options.out)
    if options.votes != SIMULATE:
        check_votes(options.votes)


def summary(current: Round) -> dict[str, Any]:
    """A round as JSON."""
    from hypersd.feedback.loop.round_stages import BATTLES, CONTESTANT, REWARD
    from hypersd.feedback.loop.rounds import REPORT_FILE

    return {
        "round": current.number,
        "contestant": current.result(CONTESTANT).name,
        "accuracy": current.result(REWARD).accuracy,
        "wins": {str(steps): asdict(share) for steps, share in current.result(BATTLES).steps.items()},
        "report": str(current.folder / REPORT_FILE),
    }


def sentence(current: Round) -> str:
    """A round for people."""
    from hypersd.feedback.loop.round_stages import BATTLES, CONTESTANT
    from hypersd.feedback.loop.rounds import REPORT_FILE

    wins = ", ".join(
        f"{share.value:.0%} at {steps} ({share.low:.0%} to {share.high:.0%})"
        for steps, share in current.result(BATTLES).steps.items()
    )
    name = current.result(CONTESTANT).name
    return f"round {current.number}: {name} wins {wins or 'no battle yet'}; {current.folder / REPORT_FILE}"
