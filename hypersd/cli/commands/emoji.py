"""`emoji`: rebuild the embedded family, train its perception network, draw its scenes."""

from __future__ import annotations

from typing import Any

from hypersd.cli.commands import emoji_perceive, emoji_rebuild, emoji_render, emoji_train


def add_parser(subparsers: Any) -> None:
    """Add the commands to the parser."""
    parser = subparsers.add_parser("emoji", help="rebuild the embedded family; draw its scenes")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (emoji_train, emoji_perceive, emoji_render, emoji_rebuild):
        command.add_parser(actions)
