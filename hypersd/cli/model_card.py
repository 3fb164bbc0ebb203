"""Model card of a rebuilt family: its tables come from the files that commands left, by a template."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hypersd.cli.rebuild_plan import RECORDS, RebuildStage
from hypersd.utils.readers import read_object

_SHARES = ("object", "pair", "background")
_NUMBERS = {"match": 3, "clip": 2, "diversity": 3, "fid": 2, "seconds": 2}


def model_card(stages: Sequence[RebuildStage], out: Path, command: str) -> str:
    """The model card in Markdown.

    Args:
        stages: those that were run.
        out: their folder, with their records and `evaluation/metrics.csv`.
        command: that made all of it.

    Raises:
        OSError: a file is missing.
        ValueError: a record is damaged.
    """
    with (out / "evaluation" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = [_cells(row) for row in csv.DictReader(file)]
    records = [(stage, _record(stage, out)) for stage in stages]
    environment = Environment(
        loader=PackageLoader("hypersd.cli"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, of our own numbers and commands
    )
    return environment.get_template("model_card.md.j2").render(
        command=command,
        headings=[*_SHARES, *_NUMBERS],
        rows=rows,
        stages=[
            {
                "name": stage.name,
                "command": shlex.join(record["command"]),
                "minutes": f"{record['seconds'] / 60:.1f}",
                "adapters": ", ".join(stage.installs),
            }
            for stage, record in records
        ],
    )


def _record(stage: RebuildStage, out: Path) -> Mapping[str, Any]:
    return read_object(out / RECORDS / f"{stage.name}.json", "the record of a stage", "command", "seconds")


def _cells(row: Mapping[str, str]) -> dict[str, Any]:
    """A row of the evaluation's table as texts; a dash for what was not measured."""
    shares = [_share(row, name) for name in _SHARES]
    numbers = [f"{float(row[name]):.{digits}f}" if row.get(name) else "–" for name, digits in _NUMBERS.items()]
    return {"model": row["model"], "steps": row["steps"], "cells": [*shares, *numbers], "n": row["n"]}


def _share(row: Mapping[str, str], name: str) -> str:
    if not row.get(name):
        return "–"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    ends = f" [{100 * float(low):.0f}, {100 * float(high):.0f}]" if low and high else ""
    return f"{float(row[name]):.1%}{ends}"
