"""HTML of a sweep: a table of models × steps, updated during drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.pages.compare import result_cards
from app.templating import render
from hypersd.models.specs import Family
from hypersd.sampling.png import fitted
from hypersd.sampling.request import Generation, Request
from hypersd.sampling.step_sweep import CellKey, CostMeans, Order, SweepTable
from hypersd.sampling.sweep_picture import cost_words, mark_words

_SIDE = 384
"""Largest side in pixels of a cell's picture: the whole table is sent at every cell."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SweepShown:
    """A sweep in progress.

    Args:
        table: of its costs, and of its scores once they are known.
        drawn: its results.
        pictures: of its cells as data URLs.
    """

    request: Request
    table: SweepTable
    drawn: tuple[Generation, ...] = ()
    pictures: Mapping[CellKey, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CellView:
    """A cell on the page; `waiting` is empty at steps at which its model does not run."""

    pictures: Sequence[str] = ()
    name: str = ""
    costs: str = ""
    score: str = ""
    error: str = ""
    waiting: str = ""
    marked: bool = False


def thumbnail(generation: Generation) -> str:
    """A result's picture as a data URL of moderate size; empty if it failed."""
    image = generation.image
    if image is None:
        return ""
    return result_cards.data_url(fitted(image, _SIDE) if max(image.size) > _SIDE else image, {})


def sweep_html(family: Family, shown: SweepShown, order: Order, *, running: bool) -> str:
    """The table, its rows in an order."""
    table = shown.table.ordered(order)
    asked = {(run.model, family.spec(run.model).recipe(run.steps).steps) for run in shown.request.runs}
    rows = [
        (
            family.spec(model).title,
            cost_words(table.row_means(model)),
            [_cell(family, shown, (model, steps), asked, running=running) for steps in table.steps],
        )
        for model in table.models
    ]
    columns = [(steps, cost_words(table.column_means(steps))) for steps in table.steps]
    note = "" if running else mark_words(table)
    return render("sweep", request=shown.request, rows=rows, columns=columns, running=running, note=note)


def _cell(family: Family, shown: SweepShown, key: CellKey, asked: set[CellKey], *, running: bool) -> _CellView:
    cell, (model, steps) = shown.table.cells.get(key), key
    if cell is None:
        words = "Next in line" if running else "Stopped before its turn"
        return _CellView(waiting=words if key in asked else "")
    if cell.error:
        return _CellView(error=cell.error)
    return _CellView(
        pictures=[picture for picture in shown.pictures.get(key, ()) if picture],
        name=f"{family.spec(model).title}, {steps} step{'s' if steps > 1 else ''}",
        costs=cost_words(CostMeans(calls=cell.calls, seconds=cell.seconds)),
        score=f"score {cell.score:.2f}" if shown.table.metric else "",
        marked=shown.table.fewest_good.get(model) == steps,
    )
