"""The declared studies on the Results tab: each comparison, how far it is, and what was preferred."""

from __future__ import annotations

import html
from collections.abc import Mapping

from app.phrases import ENGLISH, Speaker
from app.plots import interval_bar
from app.studies import Studies
from hypersd.arena.agreement import Share
from hypersd.arena.battle import Contestant, Kind
from hypersd.arena.progress import Progress
from hypersd.arena.studies import Comparison

_TOLD = "{given:,} of {wanted:,} votes, {complete} of {comparisons} comparisons complete."
_FREE = (
    "Only votes that were given in the study count here. Intervals know that one person's votes resemble each other: "
    "those of a single voter say as much as one vote."
)
_FORCED = (
    "Only votes that were given in the study count here, where one of the two had to be chosen. Intervals know that "
    "one person's votes resemble each other: those of a single voter say as much as one vote."
)


def study_rows(studies: Studies, kind: Kind, say: Speaker = ENGLISH) -> str:
    """Every study of the family as HTML, by the votes of one kind of voter."""
    unable = studies.unable()
    found = [studies.counting.progress(study, kind) for study in studies.declared.values()]
    return "".join(_study(progress, unable, say) for progress in found)


def _study(progress: Progress, unable: Mapping[Contestant, str], say: Speaker) -> str:
    study = progress.study
    title = html.escape((say.chinese and study.title_zh) or study.title)
    columns = (say("Comparison"), say("Votes"), say("For the first"), "95 %", say("Paper"))
    head = "".join(f"<th scope=col>{column}</th>" for column in columns)
    rows = "".join(_row(row, share, study.votes, unable, say) for row, share in progress.shares.items())
    counts = {"given": progress.given, "wanted": progress.wanted, "complete": progress.complete}
    return (
        f"<h2>{title}</h2><p>{say(_TOLD, **counts, comparisons=len(study.comparisons))}</p>"
        f'<div class="hs-wide" tabindex="0" role="region" aria-label="{title}"><table class="hs-study-rows">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<p class=hs-note>{say(_FREE if study.ties else _FORCED)}</p>"
    )


def _row(row: Comparison, share: Share, wanted: int, unable: Mapping[Contestant, str], say: Speaker) -> str:
    ours, rival = (html.escape(label) for label in row.labels)
    problems = [
        say("{who} cannot be drawn here: {problem}", who=who.label, problem=say.because(unable[who]))
        for who in (row.ours, row.rival)
        if who in unable
    ]
    problem = "".join(f"<br><small>{html.escape(one)}</small>" for one in problems)
    value, interval = say("no votes yet"), ""
    if share.n:
        low, middle, high = (100 * part for part in (share.low, share.value, share.high))
        told = say("{low:.0f} to {high:.0f}", low=low, high=high)
        value, interval = f"{middle:.0f} %", f"{interval_bar(low, middle, high, 0, 100, say=say)}{told}"
    paper = "" if row.paper is None else f"{row.paper:.1f} %"
    names = say("{ours} against {rival}", ours=ours, rival=rival)
    count = say("{count:,} of {wanted:,}", count=share.n, wanted=wanted)
    return (
        f"<tr><th scope=row>{names}{problem}</th><td>{count}</td>"
        f"<td>{value}</td><td>{interval}</td><td>{paper}</td></tr>"
    )
