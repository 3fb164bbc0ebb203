"""`compare --like`: the options of a comparison, from a picture that was drawn before."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hypersd.cli.options import DEFAULT_FAMILY

if TYPE_CHECKING:
    from hypersd.sampling.request import Run

_USUAL = {"family": DEFAULT_FAMILY, "seed": 0, "count": 1}
_SETTINGS = (
    *("prompt", "prompts", "family", "models", "steps", "base_first", "seed", "count"),
    *("eta", "strength", "guidance", "negative", "size"),
)


def take_like(options: argparse.Namespace) -> tuple[Run, ...]:
    """Put what the picture of `--like` says of its making in the place of the options; return its runs.

    Raises:
        OSError: the picture cannot be read.
        ValueError: it does not say how it was made, or such an option was given beside it.
    """
    from hypersd.sampling.stored_request import read_request

    if beside := [name for name in _SETTINGS if getattr(options, name) != _USUAL.get(name)]:
        word = "the prompt" if beside[0] == "prompt" else f"--{beside[0].replace('_', '-')}"
        raise ValueError(f"--like takes all settings from the picture; leave out {word}")
    stored = read_request(options.like)
    request, given = stored.request, stored.request.parameters
    options.prompt, options.family = request.prompt, request.family
    options.seed, options.count = request.seed, request.count
    options.models = tuple(dict.fromkeys(run.model for run in request.runs))
    options.steps = tuple(sorted({run.steps for run in request.runs if run.steps}))
    options.base_first = stored.base_first or None
    options.eta, options.strength, options.size = given.eta, given.strength, given.size
    options.guidance, options.negative = given.guidance_scale, given.negative_prompt
    return request.runs
