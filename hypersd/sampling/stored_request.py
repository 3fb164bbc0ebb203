"""Reading of the request of a picture from its PNG metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from hypersd.models.base_first import with_base_first
from hypersd.models.registry import family
from hypersd.models.specs import Family
from hypersd.sampling.request import Request, Run, SamplingParameters
from hypersd.utils.environment import Backend
from hypersd.utils.readers import read_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBase:
    """The base of a picture, if it is not its family's own: a repository of the Hub, or a file or folder by its name.

    Args:
        sha256: of its UNet's weights, or of the whole single file.
    """

    repository: str | None
    file: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request, with what is not part of it.

    Args:
        base_first: number of first steps by the base in every few-step model.
        base: another base than the family's own, or None.
        styled: name of the family's styled base that it was drawn on, or None.
        styles: records of the other LoRAs that were fused into the base.
        tiny_decoder: the picture was decoded by the family's tiny decoder.
        backend: library that ran the UNets.
    """

    request: Request
    base_first: int = 0
    base: StoredBase | None = None
    styled: str | None = None
    styles: tuple[Mapping[str, Any], ...] = ()
    tiny_decoder: bool = False
    backend: Backend = "torch"


def stored_record(file: Path) -> dict[str, Any]:
    """The record in a PNG file of this package: of one picture, or of a whole grid.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no picture, or carries no such record.
    """
    try:
        picture = read_picture(file)  # whole, since texts may stand behind the pixels
    except ValueError as error:
        raise ValueError(f"{error}; name a PNG file that compare or the page made") from error
    try:
        record = json.loads(picture.info.get("hypersd", ""))
    except (ValueError, TypeError, RecursionError):
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
    if "control" in record:
        raise ValueError(f"{file} follows the lines of a control image, which is not in it; draw it with `control`")
    try:
        stored = _of_grid(record) if "runs" in record else _of_picture(record)
        styles = tuple(dict(style) for style in record.get("styles", ()))
        usual = family(stored.request.family)
        styled = (
            {base.weights.file: base.name for base in usual.styled_bases}.get(styles[0]["file"]) if styles else None
        )
        decoder = usual.tiny_decoder
        stored = replace(
            stored,
            base=_base(record, usual),
            styled=styled,
            styles=styles[1:] if styled else styles,
            tiny_decoder=decoder is not None and record.get("vae") == decoder.repository,
            backend=_backend(record),
        )
        known = _known(stored.request.family, stored.base_first)
        for run in stored.request.runs:
            known.spec(run.model).recipe(run.steps)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} holds a damaged record of how it was made; name another file") from error
    except ValueError as error:
        raise ValueError(f"{file} cannot be drawn again: {error}") from error
    return stored


def _base(record: Mapping[str, Any], usual: Family) -> StoredBase | None:
    base = record.get("base")
    if base is None or (base["file"] is None and base["repository"] == usual.repository):
        return None
    return StoredBase(repository=base["repository"], file=base["file"], sha256=base.get("sha256"))


def _backend(record: Mapping[str, Any]) -> Backend:
    backends: dict[str, Backend] = {backend: backend for backend in get_args(Backend)}
    return backends[record.get("backend", "torch")]


def _known(name: str, base_first: int) -> Family:
    return with_base_first(family(name), base_first) if base_first else family(name)


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
    recipe = _known(record["family"], base_first).spec(record["model"]).recipe(record["steps"])
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
