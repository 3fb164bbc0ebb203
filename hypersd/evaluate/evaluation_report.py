"""Report of an evaluation: a table for machines, one for readers, and a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hypersd.evaluate.frechet import LEAST
from hypersd.evaluate.intervals import Floats, Interval
from hypersd.evaluate.metrics import METRICS, SHARES, ImageMetrics, Metric, over_prompts
from hypersd.evaluate.reference import SCENES, Reference
from hypersd.utils.files import atomic_path, write_text

Cost = Literal["steps", "seconds"]

_LABELS = {
    "object": "right object",
    "pair": "right pair, in order",
    "background": "right background",
    "match": "match",
    "clip": "CLIP score",
    "reward": "reward",
    "diversity": "diversity",
    "steps": "steps",
    "seconds": "seconds a picture",
}
DIGITS: dict[Metric, int] = {"match": 3, "clip": 1, "reward": 3, "diversity": 3}
"""Decimal places of the metrics that are no shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """Results of a model at a number of steps, over `n` pictures of `prompts` prompts.

    The metrics are means with their intervals, in the units of `ImageMetrics`. `fid` is the Fréchet distance to
    rendered scenes (see `Reference`), and `fid_floor` what `n` rendered scenes have themselves; `seconds` is the mean
    time of a picture. What was not measured is NaN.
    """

    model: str
    steps: int
    object: Interval
    pair: Interval
    background: Interval
    match: Interval
    clip: Interval
    reward: Interval
    diversity: Interval
    fid: float
    fid_floor: float
    seconds: float
    n: int
    prompts: int

    def flat(self) -> dict[str, str | int | float]:
        """The row as one number a column: a metric's mean under its name, its interval as `_low` and `_high`."""
        columns: dict[str, str | int | float] = {"model": self.model, "steps": self.steps}
        for metric in METRICS:
            interval: Interval = getattr(self, metric)
            columns |= {metric: interval.mean, f"{metric}_low": interval.low, f"{metric}_high": interval.high}
        names = ("fid", "fid_floor", "seconds", "n", "prompts")
        return columns | {name: getattr(self, name) for name in names}

    @classmethod
    def of(
        cls, model: str, steps: int, pictures: Sequence[ImageMetrics], features: Floats, reference: Reference | None
    ) -> ReportRow:
        """Sum up the pictures of one model at one number of steps, with their embeddings `(n, D)`.

        Without a reference, or with fewer than `frechet.LEAST` pictures, there is no Fréchet distance.
        """
        near = reference if len(pictures) >= LEAST else None
        return cls(
            model=model,
            steps=steps,
            **{metric: over_prompts(pictures, metric) for metric in METRICS},
            fid=math.nan if near is None else near.distance(features),
            fid_floor=math.nan if near is None else near.floor(len(pictures)),
            seconds=float(np.mean([picture.seconds for picture in pictures])) if pictures else math.nan,
            n=len(pictures),
            prompts=len({picture.prompt for picture in pictures}),
        )


def frame(rows: Sequence[ReportRow]) -> pd.DataFrame:
    """The rows as a data frame, in the order given, with the columns of `Row.flat` even if there are none."""
    nothing = ReportRow.of("", 0, (), np.empty((0, 0)), None)
    return pd.DataFrame([row.flat() for row in rows], columns=pd.Index(nothing.flat()))


def markdown(rows: Sequence[ReportRow]) -> str:
    """A GitHub table with intervals, fractions in per cent and what was not measured as a dash; and how to read it."""
    head = ["model", "steps", "object", "pair", "background", "match", "CLIP", "reward", "diversity", "FID"]
    head += ["seconds", "n"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in rows:
        cells = [row.model.replace("|", "\\|"), str(row.steps)]
        cells += [cell(metric, getattr(row, metric)) for metric in METRICS]
        cells += [_number(row.fid, ".2f"), _number(row.seconds, ".2f"), str(row.n)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *notes(rows)]) + "\n"


def cell(metric: Metric, interval: Interval) -> str:
    """A metric as a reader wants it: `96.9% [91, 100]` for a share, `0.892 ±0.021` for what is no share."""
    if not interval.known:
        return "–"
    if metric in SHARES:
        ends = "" if math.isnan(interval.low) else f" [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
        return f"{interval.mean:.1%}{ends}"
    digits = DIGITS[metric]
    return f"{interval.mean:.{digits}f}" + ("" if math.isnan(interval.reach) else f" ±{interval.reach:.{digits}f}")


def notes(rows: Sequence[ReportRow]) -> list[str]:
    """Notes for a reader of the table: its sample size, and what must not be compared."""
    if not rows:
        return []
    prompts = _span([row.prompts for row in rows], "d")
    said = [f"Brackets and ± are 95 % intervals: bootstrap over {prompts} prompts."]
    measured = [row for row in rows if not math.isnan(row.fid)]
    if measured:
        count, floor = _span([row.n for row in measured], "d"), _span([row.fid_floor for row in measured], ".2f")
        said.append(
            f"FID is the Fréchet distance of n = {count} pictures to {SCENES} rendered scenes or more of the same "
            "prompts, in the features of this family's own CLIP picture tower: it cannot be compared with an FID from "
            f"elsewhere, nor with one of another n. As many other rendered scenes have {floor} themselves."
        )
    return said


def figure(rows: Sequence[ReportRow], quality: Metric = "match", cost: Cost = "steps") -> Figure:
    """Quality with its interval against cost, a line a model; points bear their steps where the cost is time."""
    drawing = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = drawing.subplots()
    for model in dict.fromkeys(row.model for row in rows):
        mine = sorted((row for row in rows if row.model == model), key=lambda row: row.steps)
        costs, quality_intervals = [getattr(row, cost) for row in mine], [getattr(row, quality) for row in mine]
        qualities = [interval.mean for interval in quality_intervals]
        (line,) = axes.plot(costs, qualities, marker="o", label=model)
        ends = [interval.low for interval in quality_intervals], [interval.high for interval in quality_intervals]
        axes.vlines(costs, *ends, colors=line.get_color(), alpha=0.5)
        if cost == "seconds":
            for row, x, y in zip(mine, costs, qualities, strict=True):
                axes.annotate(str(row.steps), (x, y), textcoords="offset points", xytext=(4, 4), fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel(_LABELS[cost])
    axes.set_ylabel(_LABELS[quality])
    if cost == "steps":
        ticks = sorted({row.steps for row in rows})
        axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
        axes.minorticks_off()
    if quality in SHARES:
        axes.set_ylim(-0.03, 1.03)
    axes.grid(alpha=0.3)
    if rows:
        axes.legend()
    return drawing


def write_report(rows: Sequence[ReportRow], folder: Path) -> list[Path]:
    """Write `metrics.csv`, `table.md` and the figures of the match against steps and seconds; returns their paths.

    A figure whose numbers were not measured is left out.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, text = folder / "metrics.csv", folder / "table.md"
    with atomic_path(table) as part:
        frame(rows).to_csv(part, index=False, float_format="%.6g")
    write_text(text, markdown(rows))
    written = [table, text]
    costs: tuple[Cost, ...] = ("steps", "seconds")
    for cost in costs:
        if not rows or any(math.isnan(number) for row in rows for number in (getattr(row, cost), row.match.mean)):
            continue
        for suffix in ("svg", "png"):
            path = folder / f"match-against-{cost}.{suffix}"
            with atomic_path(path) as part:
                figure(rows, "match", cost).savefig(part, dpi=150)
            written.append(path)
    return written


def _span(numbers: Sequence[float], form: str) -> str:
    """`64`, or `60 to 64` where they differ."""
    low, high = format(min(numbers), form), format(max(numbers), form)
    return low if low == high else f"{low} to {high}"


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)
