"""`rank`: the contestants by what people prefer, and how sure that is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from hypersd.cli.options import argument, source
from hypersd.cli.output import emit, say, table
from hypersd.cli.votes import add_kind, note_skipped, open_store

if TYPE_CHECKING:
    from hypersd.arena.board import Board


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
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Rank."""
    from hypersd.arena.board import compute
    from hypersd.arena.importing import count_studies, read_votes, whereabouts
    from hypersd.arena.vote_files import Rejects

    rejects = Rejects()
    votes = list(open_store()[0].votes()) if options.votes is None else read_votes(options.votes, rejects)
    note_skipped(rejects.skipped)
    board = compute(votes, kind=options.kind)
    if board.problem:
        elsewhere = whereabouts(count_studies(votes, options.kind))
        problem = f"{board.votes} {board.kind} votes, of which {board.kept} count: {board.problem}"
        raise ValueError(f"{problem}; {elsewhere}" if elsewhere else problem)
    if options.json:
        emit(board.as_dict())
    else:
        say(report(board))
    return 0


def report(board: Board) -> str:
    """The board for people: standings, who wins against whom, and which pairs are settled."""
    from hypersd.arena.board import LEAST_VOTES

    rows = [
        (
            f"{one.rank_low}–{one.rank_high}" if one.rank_low < one.rank_high else one.rank,
            one.contestant,
            f"{one.elo:.0f}",
            f"{one.low:.0f} to {one.high:.0f}",
            one.votes,
            f"{one.seconds:.2f}",
            "preliminary" if one.preliminary else "",
        )
        for one in board.standings
    ]
    settled = [
        f"{one.better} over {one.worse} ({one.wins:.0f}:{one.losses:.0f})" for one in board.decisions if one.settled
    ]
    lines = [f"{board.kept:,} of {board.votes:,} {board.kind} votes of {board.voters:,} voters count."]
    if rows:
        lines += [
            table(("rank", "contestant", "strength", "95 % interval", "votes", "seconds", ""), rows),
            "Per cent of votes that the row won against the column:",
            table(*win_rates(board)),
        ]
    if hidden := len(board.contestants) - len(rows):
        lines.append(
            f"Not shown: {hidden} of {len(board.contestants)} contestants, with fewer than {LEAST_VOTES} votes each."
        )
    lines.append(f"Settled: {'; '.join(settled) if settled else 'no pair yet'}.")
    return "\n".join(lines)


def win_rates(board: Board) -> tuple[list[str], list[list[str]]]:
    """Each contestant's share of votes against each other one, best first; columns bear the numbers of the rows."""
    shown = [(place, one.contestant) for place, one in enumerate(board.standings, start=1)]
    index = {name: number for number, name in enumerate(board.contestants)}
    rates = [[board.win_rates[index[row]][index[column]] for _, column in shown] for _, row in shown]
    header = ["", *(str(place) for place, _ in shown)]
    rows = [
        [f"{place} {name}", *("–" if rate is None else f"{100 * rate:.0f}" for rate in line)]
        for (place, name), line in zip(shown, rates, strict=True)
    ]
    return header, rows
