"""Reading of the request of a picture from its PNG metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from hypersd.models.base_first import with_base_first
from hypersd.models.registry import family
from hypersd.sampling.request import Request, Run, SamplingParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request, and the number of first steps by the base in every few-step model."""

    request: Request
    base_first: int = 0


def stored_record(file: Path) -> dict[str, Any]:
    """The record in a PNG file of this package: of one picture, or of a whole grid.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no picture, or carries no such record.
    """
    try:
        with Image.open(file) as image:
            image.load()  # text chunks may follow the pixels
            text = getattr(image, "text", {}).get("hypersd", "")
    except UnidentifiedImageError as error:
        raise ValueError(f"{file} is no picture; name a PNG file that compare or the page made") from error
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise ValueError(  # noqa: TRY004 - it is the file that is wrong
            f"{file} does not say how it was made; name a PNG file that compare or the page made"
        )
    return record


def read_request(file: Path) -> StoredRequest:
    """The request of a PNG file of this package; running it reproduces the pictures.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no picture of this package, or its record is damaged or of models that are not there.
    """
    record = stored_record(file)
    try:
        return _of_grid(record) if "runs" in record else _of_picture(record)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} holds a damaged record of how it was made") from error


def _of_grid(record: Mapping[str, Any]) -> StoredRequest:
    given = dict(record.get("parameters", {}))
    if "size" in given:
        given["size"] = tuple(given["size"])
    request = Request(
        prompt=record["prompt"],
        seed=record["seed"],
        family=record["family"],
        runs=tuple(dict.fromkeys(Run(model=run["model"], steps=run["steps"]) for run in record["runs"])),
        parameters=SamplingParameters(**given),
        count=record.get("count", 1),
    )
    return StoredRequest(request=request, base_first=max(run.get("base_first", 0) for run in record["runs"]))


def _of_picture(record: Mapping[str, Any]) -> StoredRequest:
    """Request of a single picture's record, which has the whole recipe; differences from the model's are parameters."""
    base_first = record.get("base_first", 0)
    known = family(record["family"])
    recipe = (with_base_first(known, base_first) if base_first else known).spec(record["model"]).recipe(record["steps"])
    scale = record["weights"].get("scale", 1)
    parameters = SamplingParameters(
        eta=record["eta"] if record["eta"] != recipe.eta else None,
        strength=scale if scale != recipe.weights.scale else None,
        guidance_scale=record["guidance_scale"] if record["guidance_scale"] != recipe.guidance_scale else None,
        negative_prompt=record.get("negative_prompt"),
        size=tuple(record["size"]) if "size" in record else None,
    )
    request = Request(
        prompt=record["prompt"],
        seed=record["seed"],
        family=record["family"],
        runs=(Run(model=record["model"], steps=record["steps"]),),
        parameters=parameters,
    )
    return StoredRequest(request=request, base_first=base_first)
