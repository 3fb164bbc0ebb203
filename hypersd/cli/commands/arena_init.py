"""`arena init`: an arena of one's own pictures, of any generator."""

from __future__ import annotations

import argparse
from typing import Any

from hypersd.cli.arguments import argument, path
from hypersd.cli.folders import writable_folder
from hypersd.cli.options import add_json
from hypersd.cli.output import emit, note, say
from hypersd.models.registry import FAMILIES


def add_parser(subparsers: Any) -> None:
    """Add the commands to the parser."""
    parser = subparsers.add_parser("arena", help="an arena of your own pictures, of any generator")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=type(parser))
    making = commands.add_parser("init", help="make such an arena, or add new pictures to it")
    making.add_argument("folder", type=argument(path), metavar="DIR", help="a new folder, or an arena made before")
    making.add_argument(
        "--pictures",
        type=argument(path),
        required=True,
        metavar="SOURCE",
        help="a table (CSV, JSON Lines) with the columns prompt, model, file and maybe seed and steps; or a folder "
        "with pictures.csv; or one with a folder for each model, in which pictures of one prompt have the same name "
        "(the prompt is in NAME.txt, or is the name)",
    )
    making.add_argument("--name", metavar="NAME", help="of the arena (default: the folder's name)")
    add_json(making)
    making.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check everything, then write."""
    from hypersd.arena.library.new_arena import plan_arena, write_arena
    from hypersd.arena.library.picture_list import read_pictures

    listed = read_pictures(options.pictures)
    planned = plan_arena(options.folder, options.name, listed)
    library = planned.library
    if library.name in FAMILIES:
        raise ValueError(f"{library.name} is a family of models here; choose another --name")
    writable_folder(options.folder)
    write_arena(planned, listed, note)
    if options.json:
        emit(
            {
                "folder": str(library.folder),
                "name": library.name,
                "added": planned.added,
                "known": planned.known,
                "pictures": len(library.pictures),
                "contestants": [contestant.label for contestant in library.contestants],
                "pairs": planned.pairs,
                "equal": planned.equal,
            }
        )
        return 0
    before = f" ({planned.known:,} were there already)" if planned.known else ""
    say(f"{planned.added:,} pictures added{before}: {len(library.contestants)} models, {planned.pairs:,} pairs")
    if planned.equal:
        say(f"{planned.equal:,} pairs are left out, since their pictures are equal")
    say(f"Vote: HYPERSD_DATA={library.folder} python app.py")
    return 0
