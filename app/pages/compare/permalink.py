"""Permanent links: a comparison as the query of the page's address, and back."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from hypersd.sampling.request import Request, Run, parse_seed


def link(request: Request) -> str:
    """The query of the address that restores a comparison, with its question mark."""
    models = ",".join(f"{run.model}:{run.steps}" if run.steps else run.model for run in request.runs)
    query = {"prompt": request.prompt, "seed": request.seed, "family": request.family, "models": models}
    return "?" + urlencode(query, safe=":,")


def linked(query: Mapping[str, str], family: str) -> Request | None:
    """The comparison that a query describes, None if it describes none; `family` is meant if it names no family.

    Raises:
        ValueError: what it describes cannot be asked for.
    """
    if "prompt" not in query:
        return None
    runs = tuple(_run(part) for part in query.get("models", "").split(",") if part)
    seed = parse_seed(query.get("seed", "0"))
    return Request(prompt=query["prompt"], seed=seed, family=query.get("family", family), runs=runs)


def _run(text: str) -> Run:
    model, _, steps = text.partition(":")
    if steps and not (steps.isdecimal() and len(steps) < 4):
        raise ValueError(f"the link asks for {model} at {steps[:20]!r} steps; that has to be a number")
    return Run(model=model, steps=int(steps) if steps else None)
