"""What the votes say, and how sure that is: the board on the Results tab, as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from app.plots import frontier, interval_bar, preference_bar
from app.told import Compared
from hypersd.arena.agreement import Share
from hypersd.arena.board import LEAST_VOTES, PRELIMINARY, Board


def report(board: Board, comparisons: Sequence[Compared], more: str = "", part: str = "") -> str:
    """The whole board as HTML, with `more` in it; `part` says of which votes it is, if not of all."""
    parts = [f"<p><b>{html.escape(part)}</b></p>" if part else "", _summary(board)]
    if board.problem:
        parts.append(f'<p class="hs-message">No ranking yet: {html.escape(board.problem)}.</p>')
    elif not board.standings:
        parts.append(f'<p class="hs-message">A contestant is shown from {LEAST_VOTES} votes on.</p>')
    else:
        parts += [_standings(board), frontier(board.standings)]
    if board.win_rates:
        parts.append(_heat_map(board))
    parts += [_comparisons(comparisons), more, _trust(board)]
    return f'<section class="hs-report" aria-label="Results">{"".join(parts)}</section>'


def _summary(board: Board) -> str:
    simulated = " <b>No person voted here: these votes are simulated.</b>" if board.kind == "simulated" else ""
    return (
        f"<p>Votes: {board.votes:,}. Voters: {board.voters:,}. Votes that count: {board.kept:,}, by rules of version "
        f"{html.escape(board.rules)}.{simulated}</p>"
    )


def _standings(board: Board) -> str:
    low = min(one.low for one in board.standings)
    high = max(one.high for one in board.standings)
    columns = ("Rank", "Contestant", "Interval", "Strength", "95 %", "Votes", "Seconds")
    head = "".join(f"<th scope=col>{column}</th>" for column in columns)
    rows = "".join(
        f"<tr><td>{_span(one.rank_low, one.rank_high)}</td><th scope=row>{html.escape(one.contestant)}"
        f"{' <small>preliminary</small>' if one.preliminary else ''}</th>"
        f"<td>{interval_bar(one.low, one.elo, one.high, low, high)}</td><td>{one.elo:.0f}</td>"
        f"<td>{one.low:.0f} to {one.high:.0f}</td><td>{one.votes:,}</td><td>{one.seconds:.2f}</td></tr>"
        for one in board.standings
    )
    return (
        '<h2>Strength</h2><div class="hs-wide" tabindex="0" role="region" aria-label="Strength"><table>'
        f"<thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div><p class=hs-note>Strength is on Elo's scale: 1000 on average, 100 "
        "more wins 64 % of battles. Ranks are 95 % intervals, clustered by voter. Preliminary: fewer than "
        f"{PRELIMINARY} votes.</p>"
    )


def _span(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}\N{EN DASH}{high}"


def _heat_map(board: Board) -> str:
    names = [html.escape(name.partition("/")[2]) for name in board.contestants]
    settled = {(one.better, one.worse) for one in board.decisions if one.settled}
    head = "".join(f"<th scope=col>{name}</th>" for name in names)
    rows = ""
    for row, rates in zip(board.contestants, board.win_rates, strict=True):
        cells = ""
        for column, rate in zip(board.contestants, rates, strict=True):
            sure = (row, column) in settled or (column, row) in settled
            mark = ' <abbr title="settled">\N{CHECK MARK}</abbr>' if sure else ""
            cells += "<td></td>" if rate is None else f'<td style="--rate:{rate:.3f}">{100 * rate:.0f}{mark}</td>'
        rows += f"<tr><th scope=row>{html.escape(row.partition('/')[2])}</th>{cells}</tr>"
    return (
        '<h2>Who wins against whom</h2><div class="hs-wide" tabindex="0" role="region" aria-label="Win rates">'
        f'<table class="hs-heat"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        "<p class=hs-note>Percent of battles that the row's contestant won, ties as halves. \N{CHECK MARK}: settled, "
        "by a test that may be looked at after every vote.</p>"
    )


def _comparisons(comparisons: Sequence[Compared]) -> str:
    rows = "".join(preference_bar(one) for one in comparisons if one.decisive or one.row.paper)
    if not rows:
        return ""
    return (
        f"<h2>Figure 5's comparisons</h2>{rows}<p class=hs-note>Share of decisive votes for the first; the paper's own "
        "numbers, where it has them, are marked.</p>"
    )


def _trust(board: Board) -> str:
    facts = [
        ("Left side chosen", _share(board.left_share)),
        ("Voters agree with themselves", _share(board.self_agreement)),
        ("Voters agree with each other (Krippendorff's \N{GREEK SMALL LETTER ALPHA})", _alpha(board.agreement)),
    ]
    if board.influence:
        shift = board.influence.shift
        moved = f"moves {html.escape(board.influence.contestant)} by {shift}" if shift else "changes no rank"
        facts.append(("Leaving out any one voter", moved))
    rows = "".join(f"<tr><th scope=row>{name}</th><td>{value}</td></tr>" for name, value in facts)
    reasons = "".join(
        f"<tr><th scope=row>{html.escape(reason)}</th><td>{count:,}</td></tr>"
        for reason, count in board.reasons.items()
    )
    left_out = f"<h2>Votes that do not count</h2><table><tbody>{reasons}</tbody></table>" if reasons else ""
    return f"<h2>Can it be trusted?</h2><table><tbody>{rows}</tbody></table>{left_out}"


def _share(share: Share | None) -> str:
    if share is None or not share.n:
        return "not measured yet"
    return f"{share.value:.0%} of {share.n:,} ({share.low:.0%} to {share.high:.0%})"


def _alpha(share: Share | None) -> str:
    if share is None or not share.n:
        return "not measured yet"
    return f"{share.value:.2f} ({share.low:.2f} to {share.high:.2f}, {share.n:,} pairs)"
