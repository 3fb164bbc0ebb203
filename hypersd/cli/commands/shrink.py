"""`shrink`: an adapter in a lower rank, for a smaller file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hypersd.cli.arguments import argument, counted, fraction, path
from hypersd.cli.folders import command_folder
from hypersd.cli.options import add_json, add_out
from hypersd.cli.output import emit, say

_MOST = 1024


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "shrink",
        help="write an adapter with a lower rank",
        description="Approximate each layer of a LoRA by one of a lower rank (singular value decomposition), for a "
        "smaller file; the file gets the same name in DIR. Measure it with `evaluate --adapter`.",
    )
    parser.add_argument("file", type=argument(path), metavar="FILE", help="an adapter as `distill` writes it")
    add_rank(parser)
    add_out(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def add_rank(parser: argparse.ArgumentParser) -> None:
    """Add `--rank` and `--lose`, of which one is needed."""
    rank = parser.add_mutually_exclusive_group(required=True)
    rank.add_argument("--rank", type=counted(1, _MOST, "the rank"), metavar="N", help="the new rank of all layers")
    rank.add_argument(
        "--lose",
        type=argument(fraction),
        metavar="SHARE",
        help="each layer gets the rank with which the file is smallest, and no more than this share of the squared "
        "differences of weights is lost (above 0, up to 1)",
    )


def size_and_loss(file: Path, lost: float) -> str:
    """A line about an adapter that was written, and the share of the squared differences that it lacks, 0 to 1."""
    return f"{file}: {file.stat().st_size / 1e6:.2f} MB, {lost:.1%} of the squared differences of weights lost"


def run(options: argparse.Namespace) -> int:
    """Write the smaller adapter; returns the exit status."""
    from hypersd.models.adapter_file import inspect

    inspect(options.file)
    from hypersd.training.adapter_rank import shrink_adapter

    with command_folder(options.out, "shrink", [options.file.name], keep=True) as out:
        target = out / options.file.name
        lost = shrink_adapter(options.file, target, rank=options.rank, lose=options.lose or 0.0)
    if options.json:
        size = target.stat().st_size
        emit({"file": str(target), "rank": options.rank, "lose": options.lose, "bytes": size, "lost": lost})
    else:
        say(size_and_loss(target, lost))
    return 0
