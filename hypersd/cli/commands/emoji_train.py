"""`emoji train`: train the embedded family from its sprites."""

from __future__ import annotations

import argparse
from typing import Any

from hypersd.cli.arguments import argument, fraction, names
from hypersd.cli.folders import FAMILY, command_folder
from hypersd.cli.options import add_json, add_out, add_seed
from hypersd.cli.output import emit, say, show_log
from hypersd.emoji.training.stages import STAGES, check_stages
from hypersd.models.registry import shipped_folder
from hypersd.training.states import check_states


def add_parser(actions: Any) -> None:
    """Add the command to those of `emoji`."""
    parser = actions.add_parser(
        "train",
        help="train the family from its sprites",
        description="Train the family from its sprites, in stages. Started again after a stop, it goes on.",
    )
    add_out(parser, "the family comes to DIR/family")
    parser.add_argument("--stages", type=argument(names), metavar="A,B", help="only these stages (default: all)")
    parser.add_argument(
        "--shorten", type=argument(fraction), metavar="X", help="this fraction of the steps, for a quick look"
    )
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train the family."""
    from hypersd.emoji.world import World

    stages = options.stages or STAGES
    world = World.load(shipped_folder())
    check_stages(options.out, stages)
    check_states(options.out)
    show_log()
    from hypersd.emoji.training.rebuild import EmojiTrainingConfig, train

    recipe = EmojiTrainingConfig().shortened(options.shorten or 1)
    with command_folder(options.out, "emoji train", FAMILY, keep=True) as out:
        folder = train(world, out, stages=stages, seed=options.seed, recipe=recipe)
    if options.json:
        emit({"folder": str(folder), "stages": list(stages), "seed": options.seed})
    else:
        say(f"The family is in {folder}")
    return 0
