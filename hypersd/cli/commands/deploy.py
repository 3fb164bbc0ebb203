"""`deploy`: put the page on a Hugging Face Space."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hypersd.cli.arguments import argument
from hypersd.cli.options import add_json
from hypersd.cli.output import emit, note, say, table
from hypersd.deploy.space_files import SpaceFile, space_files
from hypersd.resources import assets_folder
from hypersd.utils.environment import Environment

if TYPE_CHECKING:
    from hypersd.models.specs import Family


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "deploy",
        help="put the page on a Hugging Face Space",
        description="Upload what the page needs of this checkout to a Space, in one commit; the Space is created if "
        "there is none, and other files in it are removed. Log in first, with `hf auth login`.",
    )
    parser.add_argument("--space", type=argument(_space), required=True, metavar="OWNER/NAME", help="the Space")
    parser.add_argument("--private", action="store_true", help="a new Space is seen by its owner only")
    parser.add_argument(
        "--family",
        type=argument(_family),
        metavar="NAME",
        help="the family that the page shows first; a published one's weights become part of the Space's image",
    )
    parser.add_argument("--dry-run", action="store_true", help="upload nothing; list the files and their sizes")
    add_json(parser)
    parser.set_defaults(run=run)


def _space(text: str) -> str:
    from hypersd.deploy.space import check_space  # the Hub's client takes half a second to import

    return check_space(text)


def _family(name: str) -> Family:
    from hypersd.models.registry import FAMILIES

    if name not in FAMILIES:
        raise ValueError(f"unknown family {name!r}; choose from: {', '.join(FAMILIES)}")
    return FAMILIES[name]


def run(options: argparse.Namespace) -> int:
    """Deploy, or say what would be deployed."""
    # Rendered by a Node server, the page would answer through a second proxy; only a variable turns that off there.
    variables = {"GRADIO_SSR_MODE": "false"}
    preload: tuple[str, ...] = ()
    if options.family:
        from hypersd.models.preload import preloaded

        variables |= Environment(family=options.family.name).variables()
        preload = preloaded(options.family)
    files = space_files(assets_folder().parent, preload)
    if options.dry_run:
        show(options.space, files, variables, preload, as_json=options.json)
        return 0
    from huggingface_hub import HfApi

    from hypersd.deploy.space import deploy
    from hypersd.utils.hub_client import logged_in_token

    logged_in_token()  # before anything is read
    note(f"uploading {len(files)} files, {_megabytes(files):.1f} MB")
    done = deploy(HfApi(), options.space, files, private=options.private, variables=variables)
    if options.json:
        emit({"space": options.space, "url": done.url, "files": len(files), "removed": list(done.removed)})
    else:
        say(f"{done.url} has {len(files)} files now; it builds itself anew, which takes some minutes")
    return 0


def show(
    space: str, files: tuple[SpaceFile, ...], variables: Mapping[str, str], preload: Sequence[str], *, as_json: bool
) -> None:
    """Print what would be uploaded, set and preloaded."""
    if as_json:
        rows = [{"path": file.path, "bytes": file.size} for file in files]
        size = sum(file.size for file in files)
        emit({"space": space, "bytes": size, "files": rows, "variables": dict(variables), "preload": list(preload)})
        return
    say(table(("file", "bytes"), [(file.path, file.size) for file in files]))
    for name, value in variables.items():
        say(f"{name}={value}")
    for line in preload:
        say(f"in the image: {line}")
    say(f"\n{len(files)} files, {_megabytes(files):.1f} MB, would be uploaded to {space}; nothing was.")


def _megabytes(files: tuple[SpaceFile, ...]) -> float:
    return sum(file.size for file in files) / 1e6
