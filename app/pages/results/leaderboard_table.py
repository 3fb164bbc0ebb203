"""HTML of the leaderboard on the Results tab, with its confidence intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.pages.results.plots import frontier
from app.services.responses import StudyResult
from app.templating import render
from hypersd.arena.ranking.influence import Influence
from hypersd.arena.ranking.leaderboard import LEAST_VOTES, PRELIMINARY, Leaderboard
from hypersd.utils.estimates import Estimate

_NOT_MEASURED = "not measured yet"


def report(leaderboard: Leaderboard, comparisons: Sequence[StudyResult], more: str = "", part: str = "") -> str:
    """The whole board as HTML.

    Args:
        leaderboard: of one kind of voter.
        comparisons: of the paper's Figure 5.
        more: markup of further sections.
        part: description of the filter, if any.
    """
    return render(
        "leaderboard",
        board=leaderboard,
        comparisons=[each for each in comparisons if each.decisive or each.row.paper],
        more=more,
        part=part,
        frontier=frontier(leaderboard.standings),
        names=[_short(name) for name in leaderboard.contestants],
        win_rates=list(_win_rates(leaderboard)),
        trust=_trust(leaderboard),
        least_votes=LEAST_VOTES,
        preliminary=PRELIMINARY,
    )


def _short(contestant: str) -> str:
    return contestant.partition("/")[2].removesuffix("@?")  # unknown steps


def _win_rates(leaderboard: Leaderboard) -> Iterator[tuple[str, list[tuple[float | None, bool]]]]:
    """A row for each contestant: its win rate against each other one, and whether that pair is settled."""
    pairs = {frozenset((each.better, each.worse)) for each in leaderboard.decisions if each.settled}
    for row, rates in zip(leaderboard.contestants, leaderboard.win_rates, strict=True):
        settled = [frozenset((row, column)) in pairs for column in leaderboard.contestants]
        yield _short(row), list(zip(rates, settled, strict=True))


def _trust(leaderboard: Leaderboard) -> list[tuple[str, str]]:
    facts = [
        ("Left side chosen", _share(leaderboard.left_share)),
        ("Voters agree with themselves", _share(leaderboard.self_agreement)),
        ("Voters agree with each other (Krippendorff's \N{GREEK SMALL LETTER ALPHA})", _alpha(leaderboard.agreement)),
    ]
    return facts + ([("Leaving out any one voter", _moved(leaderboard.influence))] if leaderboard.influence else [])


def _moved(influence: Influence) -> str:
    return f"moves {influence.contestant} by {influence.shift}" if influence.shift else "changes no rank"


def _share(share: Estimate | None) -> str:
    if share is None or not share.n:
        return _NOT_MEASURED
    return f"{share.value:.0%} of {share.n:,} ({share.low:.0%} to {share.high:.0%})"


def _alpha(share: Estimate | None) -> str:
    if share is None or not share.n:
        return _NOT_MEASURED
    return f"{share.value:.2f} ({share.low:.2f} to {share.high:.2f}, {share.n:,} pairs)"
