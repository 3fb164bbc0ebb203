"""A sweep: models × numbers of steps on one seed, as a table of times, calls and scores."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from types import MappingProxyType
from typing import Any, Literal

from hypersd.models.specs import Family
from hypersd.sampling.planning import plan_run
from hypersd.sampling.request import MAX_COUNT, MAX_SEED, Generation, Request, Run
from hypersd.utils.estimates import UNKNOWN, Estimate
from hypersd.utils.files import finite
from hypersd.utils.spreadsheets import as_cell

Order = Literal["listed", "fastest"]
"""Order of a table's rows: as requested, or by the mean seconds of a row."""

USUAL_STEPS = (1, 2, 4, 8)
"""Numbers of steps that the paper's Figures 7 and 8 compare."""

REFERENCE_PICTURES = MAX_COUNT
"""Number of the base's pictures for its range of scores."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCell:
    """One model at one number of steps, over its pictures (one for each seed).

    Args:
        calls: UNet evaluations for a picture, mean; NaN if nothing was drawn.
        seconds: for a picture, mean; NaN if nothing was drawn.
        score: of a picture, mean; NaN if nothing was scored.
        error: reason why nothing was drawn, or empty.
    """

    model: str
    steps: int
    calls: float = math.nan
    seconds: float = math.nan
    score: float = math.nan
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostMeans:
    """Means over the cells of a row or column that were drawn; NaN where none was."""

    calls: float
    seconds: float


CellKey = tuple[str, int]
"""A cell's model and number of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTable:
    """Models × steps. Not every model runs at every number of steps, so cells may be missing.

    Args:
        models: of the rows, in their order.
        steps: of the columns, ascending.
        cells: by model and number of steps.
        metric: name of the score; empty if nothing was scored.
        base: range of the mean score of the base for the number of pictures in a cell (`range_of_means`).
        remark: reason why nothing was scored, or empty.
    """

    models: tuple[str, ...]
    steps: tuple[int, ...]
    cells: Mapping[CellKey, SweepCell]
    metric: str = ""
    base: Estimate = field(default=UNKNOWN)
    remark: str = ""

    @classmethod
    def of(cls, family: Family, request: Request, generations: Sequence[Generation]) -> SweepTable:
        """Table of the pictures drawn so far; cells not drawn yet are missing."""
        runs = [(run.model, family.spec(run.model).recipe(run.steps).steps) for run in request.runs]
        cells = {
            key: cell_of(key, drawn)
            for key in runs
            if (drawn := [each for each in generations if (each.model, each.steps) == key])
        }
        models = tuple(dict.fromkeys(model for model, _ in runs))
        return cls(models=models, steps=tuple(sorted({steps for _, steps in runs})), cells=MappingProxyType(cells))

    def row_means(self, model: str) -> CostMeans:
        """Means over a model's cells."""
        return cost_means([cell for (name, _), cell in self.cells.items() if name == model])

    def column_means(self, steps: int) -> CostMeans:
        """Means over the cells at a number of steps."""
        return cost_means([cell for (_, count), cell in self.cells.items() if count == steps])

    def ordered(self, order: Order) -> SweepTable:
        """The table with sorted rows; rows without pictures come last."""
        if order == "listed":
            return self

        def seconds(model: str) -> float:
            mean = self.row_means(model).seconds
            return math.inf if math.isnan(mean) else mean

        return replace(self, models=tuple(sorted(self.models, key=seconds)))

    def good_enough(self, key: CellKey) -> bool:
        """True if a cell's score is at least the lower end of the base's range."""
        cell = self.cells.get(key)
        return cell is not None and cell.score >= self.base.low - _ROUNDING

    @property
    def fewest_good(self) -> Mapping[str, int]:
        """For each model that has one, the fewest steps at which it is good enough."""
        good = {model: [steps for steps in self.steps if self.good_enough((model, steps))] for model in self.models}
        return {model: steps[0] for model, steps in good.items() if steps}


def cell_of(key: CellKey, drawn: Sequence[Generation]) -> SweepCell:
    """The cell of a run from its pictures; failures are reported only if all failed."""
    model, steps = key
    there = [each for each in drawn if each.image is not None]
    if not there:
        return SweepCell(model=model, steps=steps, error=drawn[0].error or "not drawn")
    calls, seconds = fmean(each.calls for each in there), fmean(each.seconds for each in there)
    return SweepCell(model=model, steps=steps, calls=calls, seconds=seconds)


def cost_means(cells: Sequence[SweepCell]) -> CostMeans:
    """Means of calls and seconds over the cells that were drawn."""
    drawn = [cell for cell in cells if not cell.error]
    if not drawn:
        return CostMeans(calls=math.nan, seconds=math.nan)
    return CostMeans(calls=fmean(cell.calls for cell in drawn), seconds=fmean(cell.seconds for cell in drawn))


def usual_steps(family: Family, models: Sequence[str] | None = None) -> tuple[int, ...]:
    """Default numbers of steps of a sweep: the usual ones, and each model's own default.

    Raises:
        ValueError: a model is unknown.
    """
    specs = [family.spec(name) for name in models] if models else family.specs
    return tuple(sorted({*USUAL_STEPS, *(spec.default_steps for spec in specs)}))


def reference_request(family: Family, request: Request) -> Request | None:
    """Request for the base's additional pictures that are needed for the range of its scores.

    `REFERENCE_PICTURES` pictures at its default steps, with consecutive seeds and the parameters that it supports. None
    if the sweep draws as many itself.
    """
    base = family.specs[0]
    plan = plan_run(family, base, None, request.parameters)
    own = any(run.model == base.name and base.recipe(run.steps).steps == base.default_steps for run in request.runs)
    there = request.count if own else 0
    missing = REFERENCE_PICTURES - there
    if missing <= 0:
        return None
    after = request.seed + there
    return replace(
        request,
        runs=(Run(model=base.name, steps=base.default_steps),),
        parameters=replace(request.parameters, **dict.fromkeys(plan.refused)),
        seed=after if after + missing - 1 <= MAX_SEED else request.seed - missing,
        count=missing,
    )


def sweep_record(table: SweepTable) -> dict[str, Any]:
    """A sweep's table as a JSON object; null for missing measurements."""
    return {
        "metric": table.metric or None,
        "remark": table.remark,
        "base": {key: _rounded(getattr(table.base, key)) for key in ("value", "low", "high", "n")},
        "rows": [{"model": model, **_costs(table.row_means(model))} for model in table.models],
        "columns": [{"steps": steps, **_costs(table.column_means(steps))} for steps in table.steps],
        "cells": _lines(table),
        "fewest_good": dict(table.fewest_good),
    }


def sweep_csv(table: SweepTable) -> str:
    """A sweep's table as CSV: one line per cell, row by row; missing measurements are empty."""
    lines = _lines(table)
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: as_cell(value) for name, value in line.items()} for line in lines)
    return text.getvalue()


_COLUMNS: tuple[str, ...] = ("model", "steps", "calls", "seconds", "score", "good_enough", "fewest_good", "error")


def _lines(table: SweepTable) -> list[dict[str, Any]]:
    cells = [
        table.cells[model, steps] for model in table.models for steps in table.steps if (model, steps) in table.cells
    ]
    return [
        {
            "model": cell.model,
            "steps": cell.steps,
            "calls": _rounded(cell.calls),
            "seconds": _rounded(cell.seconds),
            "score": _rounded(cell.score),
            "good_enough": None if math.isnan(cell.score) else table.good_enough((cell.model, cell.steps)),
            "fewest_good": table.fewest_good.get(cell.model) == cell.steps,
            "error": cell.error or None,
        }
        for cell in cells
    ]


def _costs(means: CostMeans) -> dict[str, float | None]:
    return {"calls": _rounded(means.calls), "seconds": _rounded(means.seconds)}


def _rounded(value: float) -> float | None:
    return finite(round(value, 4))
