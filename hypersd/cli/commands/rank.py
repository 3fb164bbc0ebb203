"""`rank`: the contestants by what people prefer, and how sure that is."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.arena.service.prompt_files import read_prompt_file
from hypersd.cli.arguments import argument, source
from hypersd.cli.commands.votes import note_skipped
from hypersd.cli.options import add_json, add_kind
from hypersd.cli.output import emit, say, table

if TYPE_CHECKING:
    from hypersd.arena.ranking.columns import VoteColumns
    from hypersd.arena.ranking.filters import VoteFilter
    from hypersd.arena.ranking.leaderboard import Leaderboard


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
                f"{name}: {report(leaderboard)}" if several else report(leaderboard)
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


def report(leaderboard: Leaderboard) -> str:
    """The board for people: standings, who wins against whom, and which pairs are settled."""
    from hypersd.arena.ranking.leaderboard import LEAST_VOTES

    if leaderboard.problem:
        counted = f"{leaderboard.votes:,} {leaderboard.kind} votes, of which {leaderboard.kept:,} count"
        return f"{counted}: {leaderboard.problem}."
    rows = [
        (
            f"{row.rank_low}–{row.rank_high}" if row.rank_low < row.rank_high else row.rank,
            row.contestant,
            f"{row.elo:.0f}",
            f"{row.low:.0f} to {row.high:.0f}",
            row.votes,
            f"{row.seconds:.2f}",
            "preliminary" if row.preliminary else "",
        )
        for row in leaderboard.standings
    ]
    settled = [
        f"{test.better} over {test.worse} ({test.wins:.0f}:{test.losses:.0f})"
        for test in leaderboard.decisions
        if test.settled
    ]
    voters = "1 voter" if leaderboard.voters == 1 else f"{leaderboard.voters:,} voters"
    lines = [f"{leaderboard.kept:,} of {leaderboard.votes:,} {leaderboard.kind} votes of {voters} count."]
    if rows:
        lines += [
            table(("rank", "contestant", "strength", "95 % interval", "votes", "seconds", ""), rows),
            "Per cent of votes that the row won against the column:",
            table(*win_rates(leaderboard)),
        ]
    if hidden := len(leaderboard.contestants) - len(rows):
        lines.append(
            f"Not shown: {hidden} of {len(leaderboard.contestants)} contestants, "
            f"with fewer than {LEAST_VOTES} votes each."
        )
    if leaderboard.intervals == "model":
        lines.append(
            "All of these votes are one voter's, so their intervals cannot be clustered by voter. Those above take "
            "each vote for another person's, and do not say how far other people differ."
        )
    if leaderboard.apart:
        groups = "; ".join(", ".join(group) for group in leaderboard.apart)
        lines.append(f"Not yet comparable, since no votes connect them with those above: {groups}.")
    lines.append(f"Settled: {'; '.join(settled) if settled else 'no pair yet'}.")
    return "\n".join(lines)


def win_rates(leaderboard: Leaderboard) -> tuple[list[str], list[list[str]]]:
    """Each contestant's share of votes against each other one, best first; columns bear the numbers of the rows."""
    shown = [(place, one.contestant) for place, one in enumerate(leaderboard.standings, start=1)]
    index = {name: number for number, name in enumerate(leaderboard.contestants)}
    rates = [[leaderboard.win_rates[index[row]][index[column]] for _, column in shown] for _, row in shown]
    header = ["", *(str(place) for place, _ in shown)]
    rows = [
        [f"{place} {name}", *("–" if rate is None else f"{100 * rate:.0f}" for rate in line)]
        for (place, name), line in zip(shown, rates, strict=True)
    ]
    return header, rows
