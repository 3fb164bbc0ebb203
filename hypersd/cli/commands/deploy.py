"""`deploy`: put the page on a Hugging Face Space."""

from __future__ import annotations

import argparse
from typing import Any

from hypersd.cli.arguments import argument
from hypersd.cli.options import add_json
from hypersd.cli.output import emit, note, say, table
from hypersd.deploy.space_files import SpaceFile, space_files
from hypersd.resources import assets_folder


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
    parser.add_argument("--dry-run", action="store_true", help="upload nothing; list the files and their sizes")
    add_json(parser)
    parser.set_defaults(run=run)


def _space(text: str) -> str:
    from hypersd.deploy.space import check_space  # the Hub's client takes half a second to import

    return check_space(text)


def run(options: argparse.Namespace) -> int:
    """Deploy, or say what would be deployed."""
    files = space_files(assets_folder().parent)
    if options.dry_run:
        show(options.space, files, as_json=options.json)
        return 0
    from huggingface_hub import HfApi, get_token

    from hypersd.deploy.space import deploy

    if get_token() is None:
        raise ValueError("nobody is logged in on this machine; do so with `hf auth login`, or set HF_TOKEN")
    note(f"uploading {len(files)} files, {_megabytes(files):.1f} MB")
    done = deploy(HfApi(), options.space, files, private=options.private)
    if options.json:
        emit({"space": options.space, "url": done.url, "files": len(files), "removed": list(done.removed)})
    else:
        say(f"{done.url} has {len(files)} files now; it builds itself anew, which takes some minutes")
    return 0


def show(space: str, files: tuple[SpaceFile, ...], *, as_json: bool) -> None:
    """Print what would be uploaded."""
    if as_json:
        rows = [{"path": file.path, "bytes": file.size} for file in files]
        emit({"space": space, "bytes": sum(file.size for file in files), "files": rows})
        return
    say(table(("file", "bytes"), [(file.path, file.size) for file in files]))
    say(f"\n{len(files)} files, {_megabytes(files):.1f} MB, would be uploaded to {space}; nothing was.")


def _megabytes(files: tuple[SpaceFile, ...]) -> float:
    return sum(file.size for file in files) / 1e6
