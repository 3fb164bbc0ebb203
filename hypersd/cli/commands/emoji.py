"""`emoji train|perceive|render`: rebuild the embedded family, train its perception network, draw its scenes."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.arguments import argument, counted, fraction, names
from hypersd.cli.commands import emoji_rebuild
from hypersd.cli.folders import FAMILY, PERCEPTION, SCENES, command_folder
from hypersd.cli.options import DEFAULT_FAMILY, add_folder, add_json, add_out, add_seed
from hypersd.cli.output import emit, note, say, show_log, table
from hypersd.emoji.training.stages import STAGES, check_stages
from hypersd.models.registry import FAMILIES
from hypersd.training.states import check_states
from hypersd.utils.files import write_document
from hypersd.utils.model_folders import FAMILY_FOLDER, check_part, check_perception

if TYPE_CHECKING:
    from hypersd.emoji.world import Scene, World

MAX_SCENES = 100_000
SIDES = (32, 1024)


def add_parser(subparsers: Any) -> None:
    """Add the commands to the parser."""
    parser = subparsers.add_parser("emoji", help="rebuild the embedded family; draw its scenes")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    train = actions.add_parser(
        "train",
        help="train the family from its sprites",
        description="Train the family from its sprites, in stages. Started again after a stop, it goes on.",
    )
    add_out(train, "the family comes to DIR/family")
    train.add_argument("--stages", type=argument(names), metavar="A,B", help="only these stages (default: all)")
    train.set_defaults(run=run_train)

    perceive = actions.add_parser(
        "perceive",
        help="train or measure the network that sees objects",
        description=(
            "Train the instance segmentation network (SOLO) of the visual-perception loss on scenes, and measure it on "
            "held-out ones. Without --out, the shipped one is measured. Started again after a stop, it goes on."
        ),
    )
    add_folder(perceive, "--out", "train; the network comes to DIR/perception")
    add_folder(perceive, "--data", "the family in DIR/family (default: the shipped one)")
    perceive.add_argument(
        "--scenes",
        type=counted(1, MAX_SCENES, "scenes"),
        default=500,
        metavar="N",
        help="how many scenes it is measured on (default: 500)",
    )
    perceive.set_defaults(run=run_perceive)

    for action in (train, perceive):
        action.add_argument(
            "--shorten",
            type=argument(fraction),
            metavar="X",
            help="this fraction of the steps, for a quick look",
        )

    render = actions.add_parser(
        "render",
        help="draw scenes",
        description="Draw scenes like those of the training: DIR/0000.png, ..., and their captions in DIR/scenes.json.",
    )
    render.add_argument("prompt", nargs="?", metavar="PROMPT", help="what the scenes show (default: random scenes)")
    add_out(render)
    render.add_argument("--count", type=counted(1, MAX_SCENES, "count"), default=1, metavar="N")
    render.add_argument(
        "--side",
        type=counted(*SIDES, "side"),
        default=128,
        metavar="N",
        help="pixels (default: 128)",
    )
    render.add_argument("--held-out", action="store_true", help="only combinations that training never shows")
    render.set_defaults(run=run_render)

    for action in (train, perceive, render):
        add_seed(action)
        add_json(action)
    emoji_rebuild.add_parser(actions)


def shipped_folder() -> Path:
    """The folder of the family that is shipped, wherever `HYPERSD_EMOJI` may point: what is rebuilt starts from it.

    Raises:
        OSError: it is missing.
    """
    folder = FAMILIES[DEFAULT_FAMILY].world
    if folder is None:
        raise FileNotFoundError(f"the family {DEFAULT_FAMILY} has no world.json")
    return folder


def shipped_world() -> World:
    """The world of the family that is shipped.

    Raises:
        OSError: it is missing.
    """
    from hypersd.emoji.world import World

    return World.load(shipped_folder())


def run_train(options: argparse.Namespace) -> int:
    """Train the family."""
    stages = options.stages or STAGES
    world = shipped_world()
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


def run_perceive(options: argparse.Namespace) -> int:
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
    from hypersd.models.loading import fitting

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


def run_render(options: argparse.Namespace) -> int:
    """Draw scenes."""
    import numpy as np
    from PIL import Image

    from hypersd.emoji.captions import caption, read
    from hypersd.emoji.prompt_scenes import prompted_scene
    from hypersd.emoji.world import render, sample_scene
    from hypersd.sampling.png import write_png
    from hypersd.sampling.remarks import unused_remark

    if options.prompt is not None and options.held_out:
        raise ValueError("give a prompt or --held-out, not both")
    world, rng = shipped_world(), np.random.default_rng(options.seed)
    scenes: list[Scene] = [
        sample_scene(world, rng, held_out=options.held_out)
        if options.prompt is None
        else prompted_scene(world, options.prompt, rng)
        for _ in range(options.count)
    ]
    files = [f"{index:04d}.png" for index in range(len(scenes))]
    unused = () if options.prompt is None else read(world, options.prompt).unused
    records: list[dict[str, Any]] = []
    with command_folder(options.out, "emoji render", [*files, SCENES]) as out:
        for file, scene in zip(files, scenes, strict=True):
            objects = [{"name": each.name, "x": each.x, "y": each.y, "size": each.size} for each in scene.objects]
            record = {"file": file, "caption": caption(scene), "background": scene.background, "objects": objects}
            whole = {"seed": options.seed, "side": options.side, **record}
            texts = {"prompt": caption(scene), "seed": str(options.seed), "hypersd": json.dumps(whole)}
            write_png(out / file, Image.fromarray(render(world, scene, options.side)), texts)
            records.append(record)
        document = {"seed": options.seed, "side": options.side, "unused": list(unused), "scenes": records}
        write_document(out / SCENES, document)
    if unused:
        note(unused_remark(unused))
    if options.json:
        emit(document)
    else:
        note(f"{len(scenes)} scenes in {out}")
        for record in records:
            say(f"{record['file']}  {record['caption']}")
    return 0
