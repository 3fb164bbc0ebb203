"""Report of an evaluation: a table for machines, one for readers, and a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hypersd.evaluate.frechet import LEAST
from hypersd.evaluate.intervals import Floats, bootstrap_ratio
from hypersd.evaluate.metrics import BY_NAME, DIVERSITY, Metric
from hypersd.evaluate.picture_metrics import ImageMetrics, by_prompt, over_prompts
from hypersd.evaluate.reference import FrechetReference
from hypersd.utils.estimates import UNKNOWN, Estimate
from hypersd.utils.files import atomic_path, finite, write_text
from hypersd.utils.spreadsheets import as_cell

Cost = Literal["steps", "seconds"]

_COSTS = {"steps": "steps", "seconds": "seconds a picture"}
_QUALITIES = ("match", "clip")
"""Metrics that are drawn against the cost: the first one that was measured, or else the first column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """Results of a model at a number of steps, over `n` pictures of `prompts` prompts.

    Args:
        means: the mean of each metric with its interval, by name, in the order of the columns.
        diversity_ratio: the mean diversity over that of the base, on the same prompts.
        fid: the Fréchet distance to real pictures (see `FrechetReference`).
        fid_floor: the distance that `n` real pictures have themselves.
        fid_reference: words about the real pictures.
        seconds: the mean time of a picture.

    What was not measured is NaN.
    """

    model: str
    steps: int
    means: Mapping[str, Estimate]
    diversity_ratio: Estimate
    fid: float
    fid_floor: float
    seconds: float
    n: int
    prompts: int
    fid_reference: str = ""

    def flat(self) -> dict[str, str | int | float]:
        """The row as one number a column: a metric's mean under its name, its interval as `_low` and `_high`."""
        columns: dict[str, str | int | float] = {"model": self.model, "steps": self.steps}
        for name, interval in {**self.means, "diversity_ratio": self.diversity_ratio}.items():
            columns |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        names = ("fid", "fid_floor", "seconds", "n", "prompts")
        return columns | {name: getattr(self, name) for name in names}

    def finite(self) -> dict[str, Any]:
        """The row for JSON, which has no word for what is not a number: null."""
        return finite(self.flat())

    @classmethod
    def of(
        cls,
        run: tuple[str, int],
        metrics: Sequence[str],
        pictures: Sequence[ImageMetrics],
        features: Floats,
        *,
        reference: FrechetReference | None = None,
        base: Sequence[ImageMetrics] = (),
    ) -> ReportRow:
        """Sum up the pictures of one model at one number of steps, with their embeddings `(n, D)`.

        Without a reference, or with fewer than `frechet.LEAST` pictures, there is no Fréchet distance; without the
        base's pictures of the same prompts, no ratio of diversities.
        """
        near = reference if len(pictures) >= LEAST else None
        return cls(
            model=run[0],
            steps=run[1],
            means={name: over_prompts(pictures, name) for name in metrics},
            diversity_ratio=_diversity_ratio(pictures, base) if DIVERSITY in metrics else UNKNOWN,
            fid=math.nan if near is None else near.distance(features),
            fid_floor=math.nan if near is None else near.floor(len(pictures)),
            seconds=float(np.mean([picture.seconds for picture in pictures])) if pictures else math.nan,
            n=len(pictures),
            prompts=len({picture.prompt for picture in pictures}),
            fid_reference="" if near is None else near.description,
        )


def _diversity_ratio(pictures: Sequence[ImageMetrics], base: Sequence[ImageMetrics]) -> Estimate:
    return bootstrap_ratio(by_prompt(pictures, DIVERSITY), by_prompt(base, DIVERSITY))


def frame(rows: Sequence[ReportRow]) -> pd.DataFrame:
    """The rows as a data frame, in the order given."""
    return pd.DataFrame([row.flat() for row in rows])


def markdown(rows: Sequence[ReportRow]) -> str:
    """A GitHub table with intervals, fractions in per cent and what was not measured as a dash; and how to read it."""
    metrics = [BY_NAME[name] for name in rows[0].means]
    ratios = any(row.diversity_ratio.known for row in rows)
    head = ["model", "steps", *(metric.heading for metric in metrics), *(["of the base's"] if ratios else [])]
    head += ["FID", "seconds", "n"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in rows:
        cells = [row.model.replace("|", "\\|"), str(row.steps)]
        cells += [cell(metric, row.means[metric.name]) for metric in metrics]
        cells += [_ratio(row.diversity_ratio)] if ratios else []
        cells += [_number(row.fid, ".2f"), _number(row.seconds, ".2f"), str(row.n)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *notes(rows)]) + "\n"


def cell(metric: Metric, interval: Estimate) -> str:
    """A metric as a reader wants it: `96.9% [91, 100]` for a share, `0.892 ±0.021` for what is no share."""
    if not interval.known:
        return "–"
    if metric.share:
        ends = "" if math.isnan(interval.low) else f" [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
        return f"{interval.value:.1%}{ends}"
    digits = metric.digits
    return f"{interval.value:.{digits}f}" + ("" if math.isnan(interval.reach) else f" ±{interval.reach:.{digits}f}")


def _ratio(interval: Estimate) -> str:
    """A ratio in per cent: `93% [88, 97]`."""
    if not interval.known:
        return "–"
    return f"{interval.value:.0%}" + (
        "" if math.isnan(interval.low) else f" [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
    )


def notes(rows: Sequence[ReportRow]) -> list[str]:
    """Notes for a reader of the table: its sample size, and what must not be compared."""
    prompts = _span([row.prompts for row in rows], "d")
    said = [f"Brackets and ± are 95 % intervals: bootstrap over {prompts} prompts."]
    if any(row.diversity_ratio.known for row in rows):
        said.append("Beside the diversity stands its ratio to that of the base, on the same prompts and seeds.")
    measured = [row for row in rows if not math.isnan(row.fid)]
    if measured:
        count = _span([row.n for row in measured], "d")
        said.append(f"FID is the Fréchet distance of n = {count} pictures to {measured[0].fid_reference}.")
    if floors := [row.fid_floor for row in measured if not math.isnan(row.fid_floor)]:
        said.append(f"As many other real pictures have {_span(floors, '.2f')} themselves.")
    return said


def figure(rows: Sequence[ReportRow], quality: Metric, cost: Cost) -> Figure:
    """Quality with its interval against cost, a line a model; points bear their steps where the cost is time."""
    drawing = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = drawing.subplots()
    for model in dict.fromkeys(row.model for row in rows):
        mine = sorted((row for row in rows if row.model == model), key=lambda row: row.steps)
        costs, quality_intervals = [getattr(row, cost) for row in mine], [row.means[quality.name] for row in mine]
        qualities = [interval.value for interval in quality_intervals]
        (line,) = axes.plot(costs, qualities, marker="o", label=model)
        ends = [interval.low for interval in quality_intervals], [interval.high for interval in quality_intervals]
        axes.vlines(costs, *ends, colors=line.get_color(), alpha=0.5)
        if cost == "seconds":
            for row, x, y in zip(mine, costs, qualities, strict=True):
                axes.annotate(str(row.steps), (x, y), textcoords="offset points", xytext=(4, 4), fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel(_COSTS[cost])
    axes.set_ylabel(quality.label)
    if cost == "steps":
        ticks = sorted({row.steps for row in rows})
        axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
        axes.minorticks_off()
    if quality.share:
        axes.set_ylim(-0.03, 1.03)
    axes.grid(alpha=0.3)
    axes.legend()
    return drawing


def write_report(rows: Sequence[ReportRow], folder: Path) -> list[Path]:
    """Write `metrics.csv`, `table.md` and figures of the quality against steps and seconds; returns their paths.

    A figure whose numbers were not measured is left out.

    Args:
        rows: one or more, all with the same metrics.
        folder: made if need be.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, text = folder / "metrics.csv", folder / "table.md"
    with atomic_path(table) as part:
        frame(rows).map(as_cell).to_csv(part, index=False, float_format="%.6g")
    write_text(text, markdown(rows))
    written = [table, text]
    quality = BY_NAME[next((name for name in _QUALITIES if name in rows[0].means), next(iter(rows[0].means)))]
    costs: tuple[Cost, ...] = ("steps", "seconds")
    for cost in costs:
        if any(math.isnan(number) for row in rows for number in (getattr(row, cost), row.means[quality.name].value)):
            continue
        for suffix in ("svg", "png"):
            path = folder / f"{quality.name}-against-{cost}.{suffix}"
            with atomic_path(path) as part:
                figure(rows, quality, cost).savefig(part, dpi=150)
            written.append(path)
    return written


def _span(numbers: Sequence[float], form: str) -> str:
    """`64`, or `60 to 64` where they differ."""
    low, high = format(min(numbers), form), format(max(numbers), form)
    return low if low == high else f"{low} to {high}"


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)
