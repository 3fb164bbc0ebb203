"""`rank`: the contestants by what people prefer, and how sure that is."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.arena.service.prompt_files import read_prompt_file
from hypersd.cli.arguments import argument, source
from hypersd.cli.leaderboard_report import leaderboard_report, note_skipped
from hypersd.cli.options import add_json, add_kind
from hypersd.cli.output import emit, say

if TYPE_CHECKING:
    from hypersd.arena.ranking.columns import VoteColumns
    from hypersd.arena.ranking.filters import VoteFilter


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("rank", help="rank contestants by votes, with intervals")
    parser.add_argument(
        "--votes",
        type=argument(source),
        metavar="SOURCE",
        help="an export, a folder of published votes, Pick-a-Pic or another arena's log (Parquet, JSON, CSV), also "
        "hf://datasets/OWNER/NAME; default: the vote store",
    )
    add_kind(parser)
    parser.add_argument("--family", metavar="NAME", help="only contestants of this family; default: each by itself")
    parser.add_argument("--study", metavar="NAME", help="votes given in this study; default: those of the open arena")
    parser.add_argument("--prompts", metavar="SET", help="only votes on the prompts of a set, by its name or its file")
    parser.add_argument(
        "--ties",
        choices=("davidson", "half"),
        default="davidson",
        help="a tie has a weight of its own (default), or is half a win for each, as on LMArena's scale",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Rank."""
    from hypersd.arena.dataset.importing import whereabouts
    from hypersd.arena.ranking.leaderboard import compute_families

    votes = _read(options.votes)
    boards = compute_families(votes, _view(options, votes), ties=options.ties)
    if all(leaderboard.problem for leaderboard in boards.values()):
        leaderboard = next(iter(boards.values()))
        problem = (
            f"{leaderboard.votes} {leaderboard.kind} votes, of which {leaderboard.kept} count: {leaderboard.problem}"
        )
        elsewhere = whereabouts(votes.count_studies(options.kind)) if options.study is None else ""
        raise ValueError(f"{problem}; {elsewhere}" if elsewhere else problem)
    several = len(boards) > 1
    if options.json:
        documents = {name: leaderboard.as_dict() for name, leaderboard in boards.items()}
        emit({"families": documents} if several else next(iter(documents.values())))
    else:
        say(
            "\n\n".join(
                f"{name}: {leaderboard_report(leaderboard)}" if several else leaderboard_report(leaderboard)
                for name, leaderboard in boards.items()
            )
        )
    return 0


def _read(place: str | None) -> VoteColumns:
    from hypersd.arena.dataset.reading import read_columns
    from hypersd.arena.dataset.vote_files import Rejects
    from hypersd.arena.ranking.columns import VoteColumns
    from hypersd.arena.storage import open_storage

    if place is None:
        return VoteColumns.of(open_storage()[0].votes())
    rejects = Rejects()
    votes = read_columns(place, rejects)
    note_skipped(rejects.skipped)
    return votes


def _view(options: argparse.Namespace, votes: VoteColumns) -> VoteFilter:
    """The part of the votes that is asked for.

    Raises:
        ValueError: no vote belongs to it; the message says which names there are.
        OSError: the file of prompts cannot be read.
    """
    from hypersd.arena.ranking.filters import VoteFilter

    families = {contestant.family for contestant in votes.contestants()}
    _check("family", options.family, families)
    _check("study", options.study, votes.study.texts())
    asked, texts = options.prompts, ()
    if asked and asked not in votes.prompt_set.texts() and Path(asked).is_file():
        asked, texts = "", tuple(read_prompt_file(Path(asked)))
    _check("prompts", asked, votes.prompt_set.texts())
    return VoteFilter(
        kind=options.kind, family=options.family or "", study=options.study, prompts=asked or "", texts=texts
    )


def _check(option: str, name: str | None, names: Iterable[str]) -> None:
    if name is not None and name and name not in (known := sorted(names)):
        choices = f"the votes have: {', '.join(known)}" if known else "the votes have none"
        raise ValueError(f"--{option} {name}: there is no vote of this name; {choices}")
