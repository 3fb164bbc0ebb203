"""A leaderboard as text for people, and the rows of vote files that no leaderboard counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hypersd.cli.output import note, table

if TYPE_CHECKING:
    from hypersd.arena.dataset.vote_files import Skipped
    from hypersd.arena.ranking.leaderboard import Leaderboard

_LISTED = 5
"""Number of left-out rows that are named one by one, at most."""


def leaderboard_report(leaderboard: Leaderboard) -> str:
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


def note_skipped(skipped: Sequence[Skipped]) -> None:
    """Say on standard error which rows of files are no votes, and why; of many, the first ones."""
    for row in skipped[:_LISTED]:
        note(f"{row.file}, row {row.row} is left out: {row.reason}")
    if len(skipped) > _LISTED:
        note(f"{len(skipped):,} rows are left out in all")
