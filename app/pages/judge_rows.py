"""The judge's table on the Results tab."""

from __future__ import annotations

import html
import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from app.phrases import ENGLISH, Speaker
from app.plots import interval_bar
from hypersd.arena.agreement import Share
from hypersd.evaluate.intervals import Interval

if TYPE_CHECKING:
    from hypersd.feedback.verdicts import Verdicts

_HOW = (
    "A reward model that learned from votes can judge the same pictures. There is none here yet: a round on the "
    "Feedback tab makes one, or {command} and {setting}."
)
_COMMANDS = {
    "command": "<code>python -m hypersd reward train</code>",
    "setting": "<code>HYPERSD_REWARD</code>",
}
_SEEN = (
    "A reward model, learned from votes, looked at the same pictures. {agreement} A difference of one in reward is "
    "odds of e to 1."
)
_AGREES = (
    "It agrees with the voters in {value:.0%} ({low:.0%} to {high:.0%}) of {n:,} decisive votes on prompts that it did "
    "not learn from{own}.{waiting}"
)


def judge_rows(found: Verdicts | None, ceiling: Share | None, say: Speaker = ENGLISH) -> str:
    """The judge's mean rewards and its agreement with the voters, as HTML; `ceiling` is theirs with themselves."""
    if found is None or not found.means:
        return f"<h2>{say('What a judge says')}</h2><p class=hs-note>{say(_HOW, **_COMMANDS)}</p>"
    sure = [one for _, one in found.means if not math.isnan(one.low)]
    low, high = min((one.low for one in sure), default=0.0), max((one.high for one in sure), default=1.0)
    rows = "".join(_row(label, one, low, high, say) for label, one in found.means)
    head = "".join(
        f"<th scope=col>{name}</th>" for name in (*map(say, ("Contestant", "Interval", "Mean reward")), "95 %")
    )
    return (
        f"<h2>{say('What a judge says')}</h2>"
        f'<div class="hs-wide" tabindex="0" role="region" aria-label="{say("Judge")}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<p class=hs-note>{say(_SEEN, agreement=_agreement(found, ceiling, say))}</p>"
    )


def _row(label: str, one: Interval, low: float, high: float, say: Speaker) -> str:
    bar, told = "", say("one prompt only")
    if not math.isnan(one.low):
        bar = interval_bar(one.low, one.mean, one.high, low, high, say=say)
        told = say("{low:.2f} to {high:.2f}", low=one.low, high=one.high)
    return f"<tr><th scope=row>{html.escape(label)}</th><td>{bar}</td><td>{one.mean:.2f}</td><td>{told}</td></tr>"


def _agreement(found: Verdicts, ceiling: Share | None, say: Speaker) -> str:
    share, own, waiting = found.agreement, "", ""
    if not share.n:
        return say("No vote is on a prompt that it did not learn from, so its agreement with the voters is not known.")
    if ceiling and ceiling.n:
        own = say("; they agree with themselves in {value:.0%} of {n:,}", value=ceiling.value, n=ceiling.n)
    if found.unseen:
        waiting = say(" {count:,} votes wait for it to look.", count=found.unseen)
    return say(_AGREES, **asdict(share), own=own, waiting=waiting)
