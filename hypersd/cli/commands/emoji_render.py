"""`emoji render`: draw scenes like those of the training."""

from __future__ import annotations

import argparse
from typing import Any

from hypersd.cli.arguments import counted
from hypersd.cli.folders import command_folder
from hypersd.cli.options import add_json, add_out, add_seed
from hypersd.cli.output import emit, note, say
from hypersd.models.registry import shipped_folder
from hypersd.utils.model_folders import SCENES

MAX_SCENES = 100_000
SIDES = (32, 1024)


def add_parser(actions: Any) -> None:
    """Add the command to those of `emoji`."""
    parser = actions.add_parser(
        "render",
        help="draw scenes",
        description="Draw scenes like those of the training: DIR/0000.png, ..., and their captions in DIR/scenes.json.",
    )
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="what the scenes show (default: random scenes)")
    add_out(parser)
    parser.add_argument("--count", type=counted(1, MAX_SCENES, "count"), default=1, metavar="N")
    parser.add_argument(
        "--side",
        type=counted(*SIDES, "side"),
        default=128,
        metavar="N",
        help="pixels (default: 128)",
    )
    parser.add_argument("--held-out", action="store_true", help="only combinations that training never shows")
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw scenes."""
    from hypersd.emoji.training.scene_folder import random_scenes, scene_files, write_scenes
    from hypersd.emoji.world import World
    from hypersd.sampling.remarks import unused_remark

    if options.prompt is not None and options.held_out:
        raise ValueError("give a prompt or --held-out, not both")
    world = World.load(shipped_folder())
    scenes = random_scenes(world, options.count, seed=options.seed, prompt=options.prompt, held_out=options.held_out)
    with command_folder(options.out, "emoji render", [*scene_files(options.count), SCENES]) as out:
        document = write_scenes(out, world, scenes, seed=options.seed, side=options.side, prompt=options.prompt)
    if document["unused"]:
        note(unused_remark(document["unused"]))
    if options.json:
        emit(document)
    else:
        note(f"{len(scenes)} scenes in {out}")
        for record in document["scenes"]:
            say(f"{record['file']}  {record['caption']}")
    return 0
