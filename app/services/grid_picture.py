"""All pictures of a comparison in one, with its recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image

from hypersd.models.specs import Family
from hypersd.sampling.record import changed_base_record, grid_texts, run_record, versions
from hypersd.sampling.request import Generation, Request


def grid_picture(
    family: Family, request: Request, drawn: Sequence[Generation]
) -> tuple[Image.Image, Mapping[str, str]]:
    """The picture, a column for each model and number of steps, and the texts for its PNG file."""
    from hypersd.sampling.comparison import grid  # noqa: PLC0415 - brings torch

    records = [run_record(each, family, None, None, request) for each in drawn]
    return grid(request, drawn), grid_texts(request, records, {**changed_base_record(family), "versions": versions()})
