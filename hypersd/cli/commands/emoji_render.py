"""`emoji render`: draw scenes like those of the training."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from hypersd.cli.arguments import counted
from hypersd.cli.folders import SCENES, command_folder
from hypersd.cli.options import add_json, add_out, add_seed
from hypersd.cli.output import emit, note, say
from hypersd.models.registry import shipped_folder
from hypersd.utils.files import write_document

if TYPE_CHECKING:
    from hypersd.emoji.world import Scene

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
    import numpy as np
    from PIL import Image

    from hypersd.emoji.captions import caption, read
    from hypersd.emoji.prompt_scenes import prompted_scene
    from hypersd.emoji.world import World, render, sample_scene
    from hypersd.sampling.png import write_png
    from hypersd.sampling.remarks import unused_remark

    if options.prompt is not None and options.held_out:
        raise ValueError("give a prompt or --held-out, not both")
    world, rng = World.load(shipped_folder()), np.random.default_rng(options.seed)
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
