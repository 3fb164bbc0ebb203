"""What the votes say, and how sure that is: the board on the Results tab, as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import asdict

from app.phrases import ENGLISH, Speaker
from app.plots import frontier, interval_bar, preference_bar
from app.told import Compared
from hypersd.arena.agreement import Share
from hypersd.arena.board import LEAST_VOTES, PRELIMINARY, Board, Standing
from hypersd.arena.influence import Influence

_SUMMARY = "Votes: {votes:,}. Voters: {voters:,}. Votes that count: {kept:,}, by rules of version {rules}."
_SCALE = (
    "Strength is on Elo's scale: 1000 on average, 100 more wins 64 % of battles. Ranks are 95 % intervals, clustered "
    "by voter. Preliminary: fewer than {least} votes."
)
_ALONE = (
    "All of these votes are one voter's, so their intervals cannot be clustered by voter. Those shown take each vote "
    "for another person's, and do not say how far other people differ."
)
_APART = "Not yet comparable, since no votes connect them with those above: {groups}."
_PERCENT = (
    "Percent of battles that the row's contestant won, ties as halves. \N{CHECK MARK}: settled, by a test that may be "
    "looked at after every vote."
)
_FIGURE = "Figure 5's comparisons"
_SHARE = "Share of decisive votes for the first; the paper's own numbers, where it has them, are marked."


def report(
    board: Board, comparisons: Sequence[Compared], more: str = "", part: str = "", say: Speaker = ENGLISH
) -> str:
    """The whole board as HTML, with `more` in it; `part` says of which votes it is, if not of all."""
    parts = [f"<p><b>{html.escape(part)}</b></p>" if part else "", _summary(board, say)]
    if board.problem:
        parts.append(_message(say("No ranking yet: {problem}.", problem=html.escape(say.because(board.problem)))))
    elif not board.standings:
        parts.append(_message(say("A contestant is shown from {least} votes on.", least=LEAST_VOTES)))
    else:
        parts += [_standings(board, say), frontier(board.standings, say)]
    if board.intervals == "model":
        parts.append(f"<p class=hs-note>{say(_ALONE)}</p>")
    if board.apart:
        groups = "; ".join(", ".join(group) for group in board.apart)
        parts.append(f"<p class=hs-note>{say(_APART, groups=html.escape(groups))}</p>")
    if board.win_rates:
        parts.append(_heat_map(board, say))
    parts += [_comparisons(comparisons, say), more, _trust(board, say)]
    label = f'lang="{say.language}" aria-label="{html.escape(part) or say("Results")}"'
    return f'<section class="hs-report" {label}>{"".join(parts)}</section>'


def _message(text: str) -> str:
    return f'<p class="hs-message">{text}</p>'


def _summary(board: Board, say: Speaker) -> str:
    counts = {"votes": board.votes, "voters": board.voters, "kept": board.kept}
    told = say(_SUMMARY, **counts, rules=html.escape(board.rules))
    simulated = say("No person voted here: these votes are simulated.") if board.kind == "simulated" else ""
    return f"<p>{told}{f' <b>{simulated}</b>' if simulated else ''}</p>"


def _standings(board: Board, say: Speaker) -> str:
    low = min(one.low for one in board.standings)
    high = max(one.high for one in board.standings)
    columns = (*map(say, ("Rank", "Contestant", "Interval", "Strength")), "95 %", say("Votes"), say("Seconds"))
    head = "".join(f"<th scope=col>{column}</th>" for column in columns)
    rows = "".join(_standing(one, low, high, say) for one in board.standings)
    title = say("Strength")
    return (
        f'<h2>{title}</h2><div class="hs-wide" tabindex="0" role="region" aria-label="{title}"><table>'
        f"<thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div><p class=hs-note>{say(_SCALE, least=PRELIMINARY)}</p>"
    )


def _standing(one: Standing, low: float, high: float, say: Speaker) -> str:
    who = html.escape(one.contestant) + (f" <small>{say('preliminary')}</small>" if one.preliminary else "")
    grey = " class=hs-provisional" if one.preliminary else ""
    return (
        f"<tr{grey}><td>{_span(one.rank_low, one.rank_high)}</td><th scope=row>{who}</th>"
        f"<td>{interval_bar(one.low, one.elo, one.high, low, high, say=say)}</td><td>{one.elo:.0f}</td>"
        f"<td>{say('{low:.0f} to {high:.0f}', low=one.low, high=one.high)}</td>"
        f"<td>{one.votes:,}</td><td>{one.seconds:.2f}</td></tr>"
    )


def _span(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}\N{EN DASH}{high}"


def _heat_map(board: Board, say: Speaker) -> str:
    names = [html.escape(name.partition("/")[2]) for name in board.contestants]
    settled = {(one.better, one.worse) for one in board.decisions if one.settled}
    head = "".join(f"<th scope=col>{name}</th>" for name in names)
    rows = ""
    for row, rates in zip(board.contestants, board.win_rates, strict=True):
        cells = ""
        for column, rate in zip(board.contestants, rates, strict=True):
            sure = (row, column) in settled or (column, row) in settled
            mark = f' <abbr title="{say("settled")}">\N{CHECK MARK}</abbr>' if sure else ""
            cells += "<td></td>" if rate is None else f'<td style="--rate:{rate:.3f}">{100 * rate:.0f}{mark}</td>'
        rows += f"<tr><th scope=row>{html.escape(row.partition('/')[2])}</th>{cells}</tr>"
    return (
        f"<h2>{say('Who wins against whom')}</h2>"
        f'<div class="hs-wide" tabindex="0" role="region" aria-label="{say("Win rates")}">'
        f'<table class="hs-heat"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"<p class=hs-note>{say(_PERCENT)}</p>"
    )


def _comparisons(comparisons: Sequence[Compared], say: Speaker) -> str:
    rows = "".join(preference_bar(one, say) for one in comparisons if one.decisive or one.row.paper)
    if not rows:
        return ""
    return f"<h2>{say(_FIGURE)}</h2>{rows}<p class=hs-note>{say(_SHARE)}</p>"


def _trust(board: Board, say: Speaker) -> str:
    facts = [
        (say("Left side chosen"), _share(board.left_share, say)),
        (say("Voters agree with themselves"), _share(board.self_agreement, say)),
        (
            say("Voters agree with each other (Krippendorff's \N{GREEK SMALL LETTER ALPHA})"),
            _alpha(board.agreement, say),
        ),
    ]
    if board.influence:
        facts.append((say("Leaving out any one voter"), _moved(board.influence, say)))
    rows = "".join(f"<tr><th scope=row>{name}</th><td>{value}</td></tr>" for name, value in facts)
    reasons = "".join(
        f"<tr><th scope=row>{html.escape(say(reason))}</th><td>{count:,}</td></tr>"
        for reason, count in board.reasons.items()
    )
    left_out = f"<h2>{say('Votes that do not count')}</h2><table><tbody>{reasons}</tbody></table>" if reasons else ""
    return f"<h2>{say('Can it be trusted?')}</h2><table><tbody>{rows}</tbody></table>{left_out}"


def _moved(influence: Influence, say: Speaker) -> str:
    if not influence.shift:
        return say("changes no rank")
    return say("moves {contestant} by {shift}", contestant=html.escape(influence.contestant), shift=influence.shift)


def _share(share: Share | None, say: Speaker) -> str:
    if share is None or not share.n:
        return say("not measured yet")
    return say("{value:.0%} of {n:,} ({low:.0%} to {high:.0%})", **asdict(share))


def _alpha(share: Share | None, say: Speaker) -> str:
    if share is None or not share.n:
        return say("not measured yet")
    return say("{value:.2f} ({low:.2f} to {high:.2f}, {n:,} pairs)", **asdict(share))
