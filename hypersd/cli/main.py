"""The entry point: builds the parser from the groups of commands, and runs the one that was asked for.

Nothing here imports torch, so that `--help`, `models` and a complaint about bad input appear at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hypersd import __version__
from hypersd.cli.commands import (
    arena_init,
    claims,
    compare,
    control,
    data_filter,
    deploy,
    distill,
    emoji,
    evaluate,
    feedback,
    loop,
    models,
    rank,
    reward,
    votes,
)
from hypersd.cli.parser import Parser, guarded
from hypersd.utils.environment import disable_telemetry


def build_parser() -> Parser:
    """The parser of every command."""
    parser = Parser(
        prog="python -m hypersd",
        description="Hyper-SD beside its rivals: run them, train them, compare them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for group in (
        *(models, compare, control, evaluate, claims, data_filter, distill),
        *(votes, arena_init, rank, reward, feedback, loop, emoji, deploy),
    ):
        group.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; `arguments` are the words after `python -m hypersd`. Returns the exit status."""
    # The Hub is asked for what is to be downloaded, and whether it answers; nothing else leaves the machine.
    disable_telemetry()
    words = sys.argv[1:] if arguments is None else arguments
    return guarded(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    options = build_parser().parse_args(words)
    return options.run(options)
