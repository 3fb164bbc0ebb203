"""A sweep as one picture: a row for each model, a column for each number of steps, costs in every cell."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from hypersd.sampling.png import fitted
from hypersd.sampling.request import Generation, Request
from hypersd.sampling.step_sweep import CellKey, CostMeans, SweepTable

_LINE, _MARGIN, _NAMES = 20, 12, 132
_GOOD = "#0f766e"
_FRAME = 4


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The image of the sheet with the positions of its cells."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont
    side: int

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Upper left corner of a cell in pixels."""
        left = _MARGIN + _NAMES + column * (self.side + _MARGIN)
        return left, 2 * _MARGIN + 2 * _LINE + row * (self.side + 2 * _LINE + _MARGIN)

    def write(self, place: tuple[int, int], text: str, colour: str = "black") -> None:
        """Write text."""
        self.pen.text(place, text, fill=colour, font=self.font)


def sweep_picture(
    request: Request, table: SweepTable, generations: Sequence[Generation], side: int = 192
) -> Image.Image:
    """Draw a sweep with its rows in the table's order.

    A cell has the pictures of all seeds in reading order. A frame marks the fewest steps at which a model is good
    enough. A failed cell is grey; a number of steps that a model does not support gives an empty cell.

    Args:
        request: what was asked for.
        table: of the costs, and of the scores if there are any.
        generations: the pictures.
        side: of a cell in pixels.
    """
    width = 2 * _MARGIN + _NAMES + len(table.steps) * (side + _MARGIN)
    height = 4 * _MARGIN + 8 * _LINE + len(table.models) * (side + 2 * _LINE + _MARGIN)
    image = Image.new("RGB", (width, height), "white")
    sheet = _Sheet(image, ImageDraw.Draw(image), ImageFont.load_default(size=13), side)
    sheet.write((_MARGIN, _MARGIN), f"{request.prompt[: width // 8]}  (seed {request.seed})")
    for column, steps in enumerate(table.steps):
        left, top = sheet.corner(0, column)
        sheet.write((left, top - _LINE - _FRAME), f"{steps} step{'s' if steps > 1 else ''}")
        bottom = sheet.corner(len(table.models), 0)[1]
        sheet.write((left, bottom), cost_words(table.column_means(steps)), "dimgray")
    for row, model in enumerate(table.models):
        left, top = _MARGIN, sheet.corner(row, 0)[1]
        sheet.write((left, top), model)
        sheet.write((left, top + _LINE), "mean", "dimgray")
        sheet.write((left, top + 2 * _LINE), cost_words(table.row_means(model)), "dimgray")
        for column, steps in enumerate(table.steps):
            _draw_cell(sheet, sheet.corner(row, column), table, (model, steps), generations)
    foot = sheet.corner(len(table.models), 0)[1]
    sheet.write((_MARGIN, foot), "mean", "dimgray")
    sheet.write((_MARGIN, foot + _LINE + _MARGIN), textwrap.fill(mark_words(table), width // 8), _GOOD)
    return image


def _draw_cell(
    sheet: _Sheet, corner: tuple[int, int], table: SweepTable, key: CellKey, generations: Sequence[Generation]
) -> None:
    cell = table.cells.get(key)
    if cell is None:
        return
    left, top = corner
    pictures = [each.image for each in generations if (each.model, each.steps) == key]
    sheet.image.paste(tiled(pictures, sheet.side), corner)
    marked = table.fewest_good.get(cell.model) == cell.steps
    if marked:
        box = (left - _FRAME, top - _FRAME, left + sheet.side + _FRAME - 1, top + sheet.side + _FRAME - 1)
        sheet.pen.rectangle(box, outline=_GOOD, width=_FRAME)
    costs = CostMeans(calls=cell.calls, seconds=cell.seconds)
    sheet.write((left, top + sheet.side + _FRAME), "failed" if cell.error else cost_words(costs))
    if not math.isnan(cell.score):
        words = f"score {cell.score:.2f}{', good enough' if marked else ''}"
        sheet.write((left, top + sheet.side + _FRAME + _LINE - 3), words, _GOOD if marked else "dimgray")


def tiled(pictures: Sequence[Image.Image | None], side: int) -> Image.Image:
    """Pictures in a square grid of `side` pixels; failed ones are grey."""
    across = max(1, math.ceil(math.sqrt(len(pictures))))
    small = side // across
    square = Image.new("RGB", (side, side), "white" if len(pictures) > 1 else "gainsboro")
    for place, picture in enumerate(pictures):
        inside = Image.new("RGB", (small, small), "gainsboro")
        if picture is not None:
            shrunk = fitted(picture, small)
            inside.paste(shrunk, ((small - shrunk.width) // 2, (small - shrunk.height) // 2))
        square.paste(inside, (place % across * small, place // across * small))
    return square


def cost_words(costs: CostMeans) -> str:
    """Seconds and UNet calls in words: `0.12 s, 4 calls`; a dash where nothing was drawn."""
    if math.isnan(costs.seconds):
        return "\N{EN DASH}"
    return f"{costs.seconds:.2f} s, {costs.calls:.3g} call{'' if costs.calls == 1 else 's'}"


def mark_words(table: SweepTable) -> str:
    """A sentence that explains the marks and their score, or why there are none; empty if nothing was scored."""
    if not table.metric:
        return table.remark
    if math.isnan(table.base.low):
        return "Nothing is marked as good enough: the base has fewer than two pictures to compare with."
    return (
        f"Marked: the fewest steps at which a model's score ({table.metric}) is at least {table.base.low:.2f}, the "
        f"lower end of the range of the base's own (mean {table.base.value:.2f}, {table.base.n} pictures)."
    )
