"""Figures of the Hyper-SD paper: a picture for each prompt of the caption and each column's model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from hypersd.evaluate.paper_results import FigureColumn, PaperFigure, absence
from hypersd.models.engine import Engine
from hypersd.models.specs import Family
from hypersd.sampling.comparison import compare, grid
from hypersd.sampling.png import write_png
from hypersd.sampling.request import Generation, Request, Run
from hypersd.utils.files import write_text

_UNIFIED, _HYPER = "hyper-unified", "hyper"


def write_figure(
    figure: PaperFigure, prompts: Sequence[str], engine: Engine, *, seed: int, folder: Path, command: str
) -> list[Path]:
    """Draw a figure with the models that the family has, and write it with its caption; returns the files.

    Args:
        figure: the paper's.
        prompts: a row each: the figure's own, or others for a family that cannot draw those.
        engine: of the family.
        seed: of every picture.
        folder: where the files go.
        command: that makes the figure.

    Raises:
        OSError: the folder cannot be written.
    """
    family = engine.family
    wanted = {column: _standing_in(column, family) for column in figure.columns}
    absences = {column: absence(family, column.model, column.steps, engine.machine) for column in wanted.values()}
    columns = [column for column, reason in absences.items() if not reason]
    name = folder / f"figure-{figure.number}"
    caption = [f"Figure {figure.number}. {figure.title}: {family.title}."]
    caption += [f"Rows: {'; '.join(prompts)}."]
    caption += [f"Without {_label(column)}: {reason}." for column, reason in absences.items() if reason]
    if replaced := [own.model for column, own in wanted.items() if own != column]:
        caption.append(f"{replaced[0]} stands for {_UNIFIED}, which is not trained.")
    if tuple(prompts) != tuple(figure.prompts):
        caption.append("The prompts are the family's own: it cannot draw those of the paper's caption.")
    rows = [_row(prompt, columns, engine, seed) for prompt in prompts] if columns else []
    return write_sheet(name, caption, rows, command)


def _standing_in(column: FigureColumn, family: Family) -> FigureColumn:
    """The column, with the family's Hyper-SD in the place of a unified LoRA that it does not have."""
    names = {spec.name for spec in family.specs}
    if column.model != _UNIFIED or column.model in names or _HYPER not in names:
        return column
    return FigureColumn(model=_HYPER, steps=column.steps)


def write_sheet(name: Path, caption: Sequence[str], rows: Sequence[Image.Image], command: str) -> list[Path]:
    """Write a figure of rows of one size with its caption, or the caption alone without rows; returns the files.

    Args:
        name: of the files, without a suffix.
        caption: sentences, the figure's title first.
        rows: of pictures, from top to bottom.
        command: that makes the figure.

    Raises:
        OSError: the folder cannot be written.
    """
    text, sheet = name.with_suffix(".md"), name.with_suffix(".png")
    write_text(text, "\n".join([*caption, f"Made by `{command}`."]) + "\n")
    if not rows:
        return [text]
    write_png(sheet, _stacked(rows), {"figure": caption[0], "command": command})
    return [sheet, text]


def _stacked(rows: Sequence[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    for place, row in enumerate(rows):
        sheet.paste(row, (0, place * row.height))
    return sheet


def _row(prompt: str, columns: Sequence[FigureColumn], engine: Engine, seed: int) -> Image.Image:
    runs = tuple(Run(model=column.model, steps=column.steps) for column in columns)
    request = Request(prompt=prompt, seed=seed, family=engine.family.name, runs=runs)
    drawn = {(event.model, event.steps): event for event in compare(request, engine) if isinstance(event, Generation)}
    return grid(request, [drawn[column.model, column.steps] for column in columns])


def _label(column: FigureColumn) -> str:
    return f"{column.model} at {column.steps} step{'s' if column.steps > 1 else ''}"
