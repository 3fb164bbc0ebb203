"""SVG plot of the Results tab, in the page's colours, light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.templating import render
from hypersd.arena.ranking.leaderboard import LeaderboardRow

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 300, 56, 44
_LABEL_WIDTH, _LABEL_HEIGHT = 84, 13


@dataclass(frozen=True, slots=True)
class _Mark:
    """A contestant's position, the ends of its interval, and the height of its label; provisional ones are grey."""

    name: str
    provisional: bool
    x: float
    y: float
    low: float
    high: float
    label: float


def frontier(standings: Sequence[LeaderboardRow]) -> str:
    """Plot of quality against seconds, with a line through the Pareto front."""
    timed = [each for each in standings if each.seconds > 0]
    if len(timed) < 2:
        return ""
    logs = [math.log10(each.seconds) for each in timed]
    low, high = min(each.low for each in timed), max(each.high for each in timed)
    left, right = min(logs) - 0.1, max(logs) + 0.35

    def place(seconds: float, strength: float) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - 8) * (math.log10(seconds) - left) / (right - left)
        y = 8 + (_HEIGHT - _BOTTOM - 8) * (high - strength) / max(high - low, 1e-9)
        return x, y

    best = -math.inf
    line: list[tuple[float, float]] = []
    for each in sorted(timed, key=lambda each: (each.seconds, -each.elo)):
        if each.elo > best:
            best = each.elo
            line.append(place(each.seconds, each.elo))
    places = [place(each.seconds, each.elo) for each in timed]
    marks = [
        _Mark(
            name=each.contestant.partition("/")[2],
            provisional=each.preliminary,
            x=x,
            y=y,
            low=place(each.seconds, each.low)[1],
            high=place(each.seconds, each.high)[1],
            label=label,
        )
        for each, (x, y), label in zip(timed, places, apart(places), strict=True)
    ]
    return render(
        "frontier",
        line=line,
        marks=marks,
        fastest=10 ** min(logs),
        slowest=10 ** max(logs),
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        bottom=_BOTTOM,
    )


def apart(places: Sequence[tuple[float, float]]) -> list[float]:
    """Heights of labels at points (x, y): close to y and without overlap; highest points first."""
    heights: dict[int, float] = {}
    for index in sorted(range(len(places)), key=lambda index: places[index][1]):
        x, y = places[index]
        beside = sorted(height for other, height in heights.items() if abs(places[other][0] - x) < _LABEL_WIDTH)
        for height in beside:
            if abs(height - y) < _LABEL_HEIGHT:
                y = height + _LABEL_HEIGHT
        heights[index] = y
    return [heights[index] for index in range(len(places))]
