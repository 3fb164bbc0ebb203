"""The entry point: builds the parser from the groups of commands, and runs the one that was asked for.

Nothing here imports torch, so that `--help`, `models` and a complaint about bad input appear at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType

from hypersd import __version__
from hypersd.cli.commands import (
    adapter_merge,
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
    job,
    loop,
    models,
    rank,
    reward,
    shrink,
    votes,
)
from hypersd.cli.parser import Parser, guarded
from hypersd.utils.environment import disable_telemetry

COMMANDS: Mapping[str, ModuleType] = MappingProxyType(
    {
        "models": models,
        "compare": compare,
        "control": control,
        "evaluate": evaluate,
        "claims": claims,
        "data": data_filter,
        "distill": distill,
        "shrink": shrink,
        "merge": adapter_merge,
        "votes": votes,
        "arena": arena_init,
        "rank": rank,
        "reward": reward,
        "feedback": feedback,
        "loop": loop,
        "job": job,
        "emoji": emoji,
        "deploy": deploy,
    }
)
"""Groups of commands by their first word, in the order of `--help`."""


def build_parser(words: Sequence[str] = ()) -> Parser:
    """The parser of every command or, if the first word names one, of this one alone, which is built sooner."""
    parser = Parser(
        prog="python -m hypersd",
        description="Hyper-SD beside its rivals: run them, train them, compare them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    asked = COMMANDS.get(words[0]) if words else None
    for group in COMMANDS.values() if asked is None else (asked,):
        group.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; `arguments` are the words after `python -m hypersd`. Returns the exit status."""
    # The Hub is asked for what is to be downloaded, and whether it answers; nothing else leaves the machine.
    disable_telemetry()
    words = sys.argv[1:] if arguments is None else arguments
    return guarded(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    options = build_parser(words).parse_args(words)
    return options.run(options)
