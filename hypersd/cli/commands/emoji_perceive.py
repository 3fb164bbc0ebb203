"""`emoji perceive`: train the network that sees objects, or measure it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from hypersd.cli.arguments import argument, counted, fraction
from hypersd.cli.folders import PERCEPTION, command_folder
from hypersd.cli.options import add_folder, add_json, add_seed
from hypersd.cli.output import emit, note, say, show_log, table
from hypersd.models.registry import shipped_folder
from hypersd.training.states import check_states
from hypersd.utils.model_folders import FAMILY_FOLDER, check_part, check_perception

MAX_SCENES = 100_000


def add_parser(actions: Any) -> None:
    """Add the command to those of `emoji`."""
    parser = actions.add_parser(
        "perceive",
        help="train or measure the network that sees objects",
        description=(
            "Train the instance segmentation network (SOLO) of the visual-perception loss on scenes, and measure it on "
            "held-out ones. Without --out, the shipped one is measured. Started again after a stop, it goes on."
        ),
    )
    add_folder(parser, "--out", "train; the network comes to DIR/perception")
    add_folder(parser, "--data", "the family in DIR/family (default: the shipped one)")
    parser.add_argument(
        "--scenes",
        type=counted(1, MAX_SCENES, "scenes"),
        default=500,
        metavar="N",
        help="how many scenes it is measured on (default: 500)",
    )
    parser.add_argument(
        "--shorten", type=argument(fraction), metavar="X", help="this fraction of the steps, for a quick look"
    )
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train the perception network, or take the one that is there; measure it."""
    if options.out is None and options.shorten is not None:
        raise ValueError("--shorten is for training; name a folder for it with --out")
    home = options.data / FAMILY_FOLDER if options.data else shipped_folder()
    from hypersd.emoji.world import World

    world = World.load(home)
    check_part(home / "vae")
    if options.out is None:
        check_perception(home / "perception")
    else:
        check_states(options.out)
    show_log()
    from diffusers import AutoencoderTiny

    from hypersd.emoji.perception.solo import load_perception
    from hypersd.emoji.perception.solo_training import STEPS, evaluate_solo, train_perception
    from hypersd.models.libraries import fitting

    with fitting(home / "vae"):
        autoencoder = AutoencoderTiny.from_pretrained(home / "vae")
    folder = (options.out or home) / "perception"
    if options.out:
        with command_folder(options.out, "emoji perceive", PERCEPTION, keep=True) as out:
            train_perception(home, out, steps=max(1, round(STEPS * (options.shorten or 1))), seed=options.seed)
    network = load_perception(folder)
    shown = {
        "scenes": evaluate_solo(network, world, scenes=options.scenes, seed=options.seed),
        "reconstructions": evaluate_solo(
            network, world, scenes=options.scenes, seed=options.seed, autoencoder=autoencoder
        ),
    }
    if options.json:
        emit({"folder": str(folder), "seed": options.seed} | {name: asdict(seen) for name, seen in shown.items()})
    else:
        note(f"The network is in {folder}; held-out combinations:")
        rows = [
            (name, f"{seen.category:.1%}", f"{seen.iou:.3f}", f"{seen.empty:.2%}", seen.objects)
            for name, seen in shown.items()
        ]
        say(table(("shown", "category", "mask IoU", "empty cells", "objects"), rows))
    return 0
