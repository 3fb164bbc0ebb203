"""The judge's table on the Results tab."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from app.plots import interval_bar
from hypersd.arena.agreement import Share
from hypersd.evaluate.intervals import Interval

if TYPE_CHECKING:
    from hypersd.feedback.verdicts import Verdicts

_HOW = (
    "<h2>What a judge says</h2><p class=hs-note>A reward model that learned from votes can judge the same pictures. "
    "There is none here yet: a round on the Feedback tab makes one, or <code>python -m hypersd reward train</code> and "
    "<code>HYPERSD_REWARD</code>.</p>"
)


def judge_rows(found: Verdicts | None, ceiling: Share | None) -> str:
    """The judge's mean rewards and its agreement with the voters, as HTML; `ceiling` is theirs with themselves."""
    if found is None or not found.means:
        return _HOW
    sure = [one for _, one in found.means if not math.isnan(one.low)]
    low, high = min((one.low for one in sure), default=0.0), max((one.high for one in sure), default=1.0)
    rows = "".join(_row(label, one, low, high) for label, one in found.means)
    head = "".join(f"<th scope=col>{name}</th>" for name in ("Contestant", "Interval", "Mean reward", "95 %"))
    return (
        '<h2>What a judge says</h2><div class="hs-wide" tabindex="0" role="region" aria-label="Judge">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        "<p class=hs-note>A reward model, learned from votes, looked at the same pictures. "
        f"{_agreement(found, ceiling)} A difference of one in reward is odds of e to 1.</p>"
    )


def _row(label: str, one: Interval, low: float, high: float) -> str:
    bar, told = "", "one prompt only"
    if not math.isnan(one.low):
        bar, told = interval_bar(one.low, one.mean, one.high, low, high), f"{one.low:.2f} to {one.high:.2f}"
    return f"<tr><th scope=row>{html.escape(label)}</th><td>{bar}</td><td>{one.mean:.2f}</td><td>{told}</td></tr>"


def _agreement(found: Verdicts, ceiling: Share | None) -> str:
    share = found.agreement
    if not share.n:
        return "No vote is on a prompt that it did not learn from, so its agreement with the voters is not known."
    own = f"; they agree with themselves in {ceiling.value:.0%} of {ceiling.n:,}" if ceiling and ceiling.n else ""
    waiting = f" {found.unseen:,} votes wait for it to look." if found.unseen else ""
    return (
        f"It agrees with the voters in {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of {share.n:,} decisive "
        f"votes on prompts that it did not learn from{own}.{waiting}"
    )
