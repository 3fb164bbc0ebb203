"""Comparisons and sweeps as tables for people, from their records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hypersd.cli.output import table
from hypersd.cli.parser import FAILED, complain


def comparison_report(record: Mapping[str, Any]) -> str:
    """A comparison as a table for people."""
    keys = ("model", "steps", "calls", "guidance_scale", "seconds", "file")
    header = ("model", "steps", "calls", "guidance", "seconds", "file")
    rows = [[run[key] if run[key] is not None else "failed" for key in keys] for run in record["runs"]]
    return f"{record['prompt']} (seed {record['seed']})\n{table(header, rows)}"


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


def report_failures(records: Iterable[Mapping[str, Any]]) -> int:
    """Print an error for each picture that could not be drawn; returns the exit status."""
    failures = [run for record in records for run in record["runs"] if run["file"] is None]
    for run in failures:
        complain(f"{run['model']} at {run['steps']} steps: {run['error']}")
    return FAILED if failures else 0
