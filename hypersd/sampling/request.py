"""Requests for pictures, and their results."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from PIL import Image

from hypersd.models.specs import Family, ModelSpec, Recipe

MAX_PROMPT = 2000
MAX_SEED = 2**32 - 1


def parse_seed(text: str) -> int:
    """A seed from what somebody typed.

    Raises:
        ValueError: it is not a whole number from 0 to 2³² − 1.
    """
    if not re.fullmatch(r"\s*[0-9]{1,10}\s*", text) or int(text) > MAX_SEED:
        raise ValueError(f"a seed is a whole number from 0 to {MAX_SEED}, not {text[:40]!r}")
    return int(text)


def check_prompt(prompt: str) -> str:
    """The prompt without surrounding spaces.

    Raises:
        ValueError: it is empty, too long, or has control characters in it.
    """
    prompt = prompt.strip()
    if not prompt:
        raise ValueError("the prompt is empty; say what to draw, for example: a big cat on a blue background")
    if len(prompt) > MAX_PROMPT:
        raise ValueError(f"the prompt has {len(prompt)} characters; shorten it to {MAX_PROMPT} or fewer")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in prompt):
        raise ValueError("the prompt has control characters in it; type it as plain text on one line")
    return prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One model at one number of steps; None means the model's own default."""

    model: str
    steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt and one seed for several runs of one family.

    Raises:
        ValueError: the prompt or the seed cannot be used, or there are no runs, or one stands there twice.
    """

    prompt: str
    seed: int
    family: str
    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", check_prompt(self.prompt))
        if not 0 <= self.seed <= MAX_SEED:
            raise ValueError(f"a seed is a whole number from 0 to {MAX_SEED}, not {self.seed}")
        if not self.runs:
            raise ValueError("no model is chosen; choose at least one")
        if twice := [run for index, run in enumerate(self.runs) if run in self.runs[:index]]:
            raise ValueError(f"{twice[0].model} is asked for twice at the same number of steps; name it once")


def planned(family: Family, request: Request) -> list[tuple[ModelSpec, Recipe]]:
    """A request's runs in the order in which they are drawn: fewest UNet calls first.

    Raises:
        ValueError: a model is unknown, or does not run at the number of steps asked for.
    """
    specs = [family.spec(run.model) for run in request.runs]
    chosen = [(spec, spec.recipe(run.steps)) for spec, run in zip(specs, request.runs, strict=True)]
    return sorted(chosen, key=lambda choice: choice[1].calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One run's result.

    Args:
        calls: UNet evaluations (NFE) that were made.
        seconds: denoising and decoding; loading, switching and previews are not counted.
        image: None if the run failed; then `error` is a sentence that says why.
        timesteps: at which the UNet was evaluated, from noise to picture.
        unread: the end of the prompt that the text encoders do not read.
        warnings: sentences about what was not done as asked: words not read, layers of an adapter not applied.
    """

    model: str
    steps: int
    calls: int
    guidance_scale: float
    seconds: float
    image: Image.Image | None = None
    error: str | None = None
    timesteps: tuple[float, ...] = ()
    unread: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Preview of a run: its picture if it stopped after `step` of `steps`."""

    model: str
    steps: int
    step: int
    image: Image.Image
