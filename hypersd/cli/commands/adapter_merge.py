"""`merge`: one adapter out of several, each at a strength."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hypersd.cli.arguments import argument
from hypersd.cli.commands.shrink import add_rank, size_and_loss
from hypersd.cli.folders import command_folder
from hypersd.cli.options import add_json, add_out
from hypersd.cli.output import emit, say
from hypersd.models.style_file import parse_style
from hypersd.models.weights import Weights

_MERGED = "merged.safetensors"


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "merge",
        help="write one adapter out of several",
        description="Add up the differences of weights of LoRAs of one base, each times its strength, and write "
        "the sum as one LoRA, DIR/merged.safetensors. Measure it with `evaluate --adapter`.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=argument(_adapter),
        metavar="FILE[:STRENGTH]",
        help="adapters as `distill` writes them; a strength is above 0 and up to 2 (default: 1)",
    )
    add_rank(parser)
    add_out(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def _adapter(text: str) -> Weights:
    weights = parse_style(text)
    if weights.repository is not None:
        raise ValueError(f"{text} is on the Hub; download it first, and give the file's path")
    return weights


def run(options: argparse.Namespace) -> int:
    """Write the adapter; returns the exit status."""
    from hypersd.models.adapter_file import inspect

    adapters = [(Path(str(weights.file)), weights.scale) for weights in options.files]
    for file, _ in adapters:
        inspect(file)
    from hypersd.training.adapter_rank import merge_adapters

    with command_folder(options.out, "merge", [_MERGED], keep=True) as out:
        target = out / _MERGED
        lost = merge_adapters(adapters, target, rank=options.rank, lose=options.lose or 0.0)
    if options.json:
        files = [{"file": str(file), "strength": strength} for file, strength in adapters]
        emit({"file": str(target), "adapters": files, "bytes": target.stat().st_size, "lost": lost})
    else:
        say(size_and_loss(target, lost))
    return 0
