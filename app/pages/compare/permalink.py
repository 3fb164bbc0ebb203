"""Permanent links: a comparison as the query of the page's address, and back."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from hypersd.sampling.request import Request, Run, SamplingParameters, parse_seed, parse_size, sides

_NUMBERS = ("eta", "strength", "guidance_scale")


def link(request: Request) -> str:
    """The query of the address that restores a comparison, with its question mark."""
    models = ",".join(f"{run.model}:{run.steps}" if run.steps else run.model for run in request.runs)
    query: dict[str, object] = {
        "prompt": request.prompt,
        "seed": request.seed,
        "family": request.family,
        "models": models,
    }
    given = request.parameters
    query |= {key: value for key in _NUMBERS if (value := getattr(given, key)) is not None}
    query |= {"negative_prompt": given.negative_prompt} if given.negative_prompt else {}
    query |= {"size": sides(given.size)} if given.size else {}
    query |= {"count": request.count} if request.count > 1 else {}
    query |= {"base": request.base} if request.base else {}
    query |= {"decoder": "tiny"} if request.tiny_decoder else {}
    return "?" + urlencode(query, safe=":,")


def linked(query: Mapping[str, str], family: str) -> Request | None:
    """The comparison that a query describes, None if it describes none; `family` is meant if it names no family.

    Raises:
        ValueError: what it describes cannot be asked for.
    """
    if "prompt" not in query:
        return None
    return Request(
        prompt=query["prompt"],
        seed=parse_seed(query.get("seed", "0")),
        family=query.get("family", family),
        runs=tuple(_run(part) for part in query.get("models", "").split(",") if part),
        parameters=SamplingParameters(
            **{key: _number(key, query[key]) for key in _NUMBERS if key in query},
            negative_prompt=query.get("negative_prompt"),
            size=parse_size(query["size"]) if "size" in query else None,
        ),
        count=_count(query.get("count", "1")),
        base=query.get("base", ""),
        tiny_decoder=query.get("decoder") == "tiny",
    )


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"the link says {key}={text[:20]!r}; that has to be a number") from error


def _count(text: str) -> int:
    if not (text.isdecimal() and len(text) < 4):
        raise ValueError(f"the link asks for {text[:20]!r} pictures; that has to be a number")
    return int(text)


def _run(text: str) -> Run:
    model, _, steps = text.partition(":")
    if steps and not (steps.isdecimal() and len(steps) < 4):
        raise ValueError(f"the link asks for {model} at {steps[:20]!r} steps; that has to be a number")
    return Run(model=model, steps=int(steps) if steps else None)
