"""A sweep's files in a comparison's folder: one picture of all cells, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.folders import SWEEP
from hypersd.cli.output import note, table
from hypersd.sampling.record import grid_texts
from hypersd.utils.files import write_text

if TYPE_CHECKING:
    from hypersd.cli.sweep_options import SweepOptions
    from hypersd.models.engine import Engine
    from hypersd.sampling.request import Generation, Request
    from hypersd.sampling.step_sweep import SweepTable


def write_sweep(
    file: Path,
    request: Request,
    engine: Engine,
    drawn: tuple[Sequence[Generation], Sequence[Mapping[str, Any]]],
    context: Mapping[str, Any],
    *,
    options: SweepOptions,
) -> dict[str, Any]:
    """Score a sweep that was drawn, and write it: the picture of it and, beside that, its CSV; return its record.

    Args:
        file: of the picture.
        request: what was asked for.
        engine: that draws the base's pictures to compare with.
        drawn: results, and the record of each.
        context: what all of them have in common, such as versions.
        options: of the sweep.

    Raises:
        OSError: a file cannot be written.
    """
    from hypersd.sampling.png import write_png
    from hypersd.sampling.step_sweep import SweepTable, sweep_csv, sweep_record
    from hypersd.sampling.sweep_picture import sweep_picture

    generations, runs = drawn
    costs = SweepTable.of(engine.family, request, generations)
    whole = _scored(costs, request, engine, generations, options).ordered(options.order)
    record = sweep_record(whole)
    texts = grid_texts(request, runs, {**context, "sweep": record})
    write_png(file, sweep_picture(request, whole, generations), texts)
    write_text(file.with_name(SWEEP), sweep_csv(whole))
    return record


def _scored(
    costs: SweepTable, request: Request, engine: Engine, drawn: Sequence[Generation], options: SweepOptions
) -> SweepTable:
    from dataclasses import replace

    from hypersd.evaluate.good_enough import scored
    from hypersd.sampling.comparison import compare
    from hypersd.sampling.request import Generation
    from hypersd.sampling.step_sweep import reference_request

    if options.quality is None or request.prompt in options.remarks:
        return replace(costs, remark=options.remarks[request.prompt])
    wanted = reference_request(engine.family, request)
    extra: list[Generation] = []
    if wanted:
        note(f"  {wanted.count} more pictures by the base, to know how much they differ")
        extra = [event for event in compare(wanted, engine) if isinstance(event, Generation)]
    try:
        return scored(costs, engine.family, request.prompt, drawn, extra=extra, quality=options.quality)
    except ValueError as error:  # the pictures are drawn, and worth keeping without a mark
        return replace(costs, remark=f"nothing is marked as good enough: {error}")


def sweep_report(record: Mapping[str, Any]) -> str:
    """A sweep as a table for people: seconds and calls in every cell, and a star at the mark."""
    sweep = record["sweep"]
    cells = {(cell["model"], cell["steps"]): cell for cell in sweep["cells"]}
    columns = [column["steps"] for column in sweep["columns"]]
    rows = [
        [row["model"], *(_words(cells.get((row["model"], steps))) for steps in columns), _words(row)]
        for row in sweep["rows"]
    ]
    rows.append(["mean", *(_words(column) for column in sweep["columns"]), ""])
    header = ["model", *(f"{steps} step{'s' if steps > 1 else ''}" for steps in columns), "mean"]
    return f"{record['prompt']} (seed {record['seed']}): seconds/calls\n{table(header, rows)}\n{_mark(sweep)}"


def _words(costs: Mapping[str, Any] | None) -> str:
    if costs is None:
        return ""
    if costs["seconds"] is None:
        return "failed"
    return f"{costs['seconds']:.2f}/{costs['calls']:.3g}{'*' if costs.get('fewest_good') else ''}"


def _mark(sweep: Mapping[str, Any]) -> str:
    base = sweep["base"]
    if sweep["metric"] is None or base["low"] is None:
        return sweep["remark"]
    return (
        f"* the fewest steps that are good enough: {sweep['metric']} of at least {base['low']:.2f}, the lower end of "
        f"the range of the base's own ({base['value']:.2f} on average, {base['n']} pictures)"
    )
