"""The declared studies on the Results tab: each comparison, how far it is, and what was preferred."""

from __future__ import annotations

import html
from collections.abc import Mapping

from app.plots import interval_bar
from app.studies import Studies
from hypersd.arena.agreement import Share
from hypersd.arena.battle import Contestant, Kind
from hypersd.arena.progress import Progress
from hypersd.arena.studies import Comparison

_COLUMNS = ("Comparison", "Votes", "For the first", "95 %", "Paper")


def study_rows(studies: Studies, kind: Kind) -> str:
    """Every study of the family as HTML, by the votes of one kind of voter."""
    unable = studies.unable()
    found = [studies.counting.progress(study, kind) for study in studies.declared.values()]
    return "".join(_study(progress, unable) for progress in found)


def _study(progress: Progress, unable: Mapping[Contestant, str]) -> str:
    study, title = progress.study, html.escape(progress.study.title)
    head = "".join(f"<th scope=col>{column}</th>" for column in _COLUMNS)
    rows = "".join(_row(row, share, study.votes, unable) for row, share in progress.shares.items())
    how = "" if study.ties else ", where one of the two had to be chosen"
    return (
        f"<h2>{title}</h2><p>{progress.given:,} of {progress.wanted:,} votes, {progress.complete} of "
        f"{len(study.comparisons)} comparisons complete.</p>"
        f'<div class="hs-wide" tabindex="0" role="region" aria-label="{title}"><table class="hs-study-rows">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<p class=hs-note>Only votes that were given in the study count here{how}. Intervals know that one person's "
        "votes resemble each other: those of a single voter say as much as one vote.</p>"
    )


def _row(row: Comparison, share: Share, wanted: int, unable: Mapping[Contestant, str]) -> str:
    ours, rival = (html.escape(label) for label in row.labels)
    problems = [f"{who.label} cannot be drawn here: {unable[who]}" for who in (row.ours, row.rival) if who in unable]
    problem = "".join(f"<br><small>{html.escape(one)}</small>" for one in problems)
    value, interval = "no votes yet", ""
    if share.n:
        low, middle, high = (100 * part for part in (share.low, share.value, share.high))
        value, interval = f"{middle:.0f} %", f"{interval_bar(low, middle, high, 0, 100)}{low:.0f} to {high:.0f}"
    paper = "" if row.paper is None else f"{row.paper:.1f} %"
    return (
        f"<tr><th scope=row>{ours} against {rival}{problem}</th><td>{share.n:,} of {wanted:,}</td>"
        f"<td>{value}</td><td>{interval}</td><td>{paper}</td></tr>"
    )
