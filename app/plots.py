"""Small drawings for the Results tab, as HTML and SVG: they take the page's colours, in light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from app.phrases import ENGLISH, Speaker
from app.told import Compared
from hypersd.arena.board import Standing

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 300, 56, 44
_LABEL_WIDTH, _LABEL_HEIGHT = 84, 13


def interval_bar(low: float, value: float, high: float, least: float, most: float, *, say: Speaker = ENGLISH) -> str:
    """An interval on a scale from `least` to `most`, with a mark at its value."""
    width = max(most - least, 1e-9)
    start, middle, end = (100 * (x - least) / width for x in (low, value, high))
    told = say("{low:.0f} to {high:.0f}", low=low, high=high)
    return (
        f'<span class="hs-interval" role="img" aria-label="{told}">'
        f'<i style="left:{start:.1f}%;width:{max(end - start, 0.5):.1f}%"></i><b style="left:{middle:.1f}%"></b></span>'
    )


def preference_bar(one: Compared, say: Speaker = ENGLISH) -> str:
    """One comparison: the share of votes for ours, and the paper's where there is one."""
    share = one.wins / one.decisive if one.decisive else 0.0
    given = say("{share:.0f} % of {count}", share=100 * share, count=one.decisive)
    mine = given if one.decisive else say("no votes yet")
    paper = f" <small>{say('paper: {share} %', share=one.row.paper)}</small>" if one.row.paper else ""
    ours, rival = (html.escape(label) for label in one.row.labels)
    names = say("{ours} against {rival}", ours=ours, rival=rival)
    return (
        f'<div class="hs-preference"><span>{names}</span><span class="hs-bar" role="img" aria-label="{mine}">'
        f'<i style="width:{100 * share:.1f}%"></i></span><span>{mine}{paper}</span></div>'
    )


def frontier(standings: Sequence[Standing], say: Speaker = ENGLISH) -> str:
    """Quality against seconds, with the contestants that nobody beats in both joined by a line."""
    timed = [one for one in standings if one.seconds > 0]
    if len(timed) < 2:
        return ""
    logs = [math.log10(one.seconds) for one in timed]
    low, high = min(one.low for one in timed), max(one.high for one in timed)
    left, right = min(logs) - 0.1, max(logs) + 0.35

    def place(seconds: float, strength: float) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - 8) * (math.log10(seconds) - left) / (right - left)
        y = 8 + (_HEIGHT - _BOTTOM - 8) * (high - strength) / max(high - low, 1e-9)
        return x, y

    best = -math.inf
    line: list[str] = []
    for one in sorted(timed, key=lambda one: (one.seconds, -one.elo)):
        if one.elo > best:
            best = one.elo
            line.append("{:.1f},{:.1f}".format(*place(one.seconds, one.elo)))
    marks = ""
    heights = apart([place(one.seconds, one.elo) for one in timed])
    for one, height in zip(timed, heights, strict=True):
        (x, y), (_, top), (_, bottom) = (place(one.seconds, value) for value in (one.elo, one.high, one.low))
        name = html.escape(one.contestant.partition("/")[2])
        grey = ' class="hs-provisional"' if one.preliminary else ""
        marks += (
            f'<g{grey}><line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{x + 8:.1f}" y="{height + 4:.1f}">{name}</text></g>'
        )
    ends = {"low": 10 ** min(logs), "high": 10 ** max(logs)}
    across = say("seconds for a picture (logarithmic: {low:.2f} to {high:.2f})", **ends)
    axes = (
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{across}</text>'
        f'<text x="14" y="{_HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 14 {_HEIGHT / 2})">'
        f"{say('strength')}</text>"
        f'<path d="M{_LEFT} 8V{_HEIGHT - _BOTTOM + 8}H{_WIDTH - 8}"/>'
    )
    return (
        f"<h2>{say('Quality against time')}</h2>"
        f'<svg class="hs-frontier" role="img" aria-label="{say("Strength against seconds")}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{axes}<polyline points="{" ".join(line)}"/>{marks}</svg>'
    )


def apart(places: Sequence[tuple[float, float]]) -> list[float]:
    """For labels that begin at places (x, y): heights near y at which none lies on another; highest places first."""
    found: dict[int, float] = {}
    for index in sorted(range(len(places)), key=lambda index: places[index][1]):
        x, y = places[index]
        beside = sorted(height for other, height in found.items() if abs(places[other][0] - x) < _LABEL_WIDTH)
        for height in beside:
            if abs(height - y) < _LABEL_HEIGHT:
                y = height + _LABEL_HEIGHT
        found[index] = y
    return [found[index] for index in range(len(places))]
