"""Requests for pictures, and their results."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields
from typing import Any

from PIL import Image

from hypersd.models.control_specs import ControlMode
from hypersd.models.family_parts import ControlNetSpec
from hypersd.models.weights import check_strength
from hypersd.utils.environment import Backend

MAX_PROMPT = 2000
MAX_SEED = 2**32 - 1
MAX_GUIDANCE = 20.0
MAX_SIDE = 2048
MAX_COUNT = 8
MAX_CONTROL = 2.0

_MOST_MARKS = 8
"""Most combining marks on a letter; more of them, which no language has, would be drawn over the rest of the page."""

_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional overrides and isolates, which show a text in another order than the one in which it is read."""

_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_UNSEEN = frozenset({"Cf", "Cn", "Mn", "Me", "Zs"})


def parse_seed(text: str) -> int:
    """Parse a seed.

    Raises:
        ValueError: the text is not a whole number from 0 to 2³² − 1.
    """
    if not re.fullmatch(r"\s*[0-9]{1,10}\s*", text) or int(text) > MAX_SEED:
        raise ValueError(f"a seed is a whole number from 0 to {MAX_SEED}, not {text[:40]!r}")
    return int(text)


def parse_size(text: str) -> tuple[int, int]:
    """Parse width and height in pixels: `1024x768`, or one number for a square.

    Raises:
        ValueError: it is neither.
    """
    match = re.fullmatch(r"\s*([0-9]{1,4})(?:\s*[x\u00d7]\s*([0-9]{1,4}))?\s*", text, re.IGNORECASE)
    if not match:
        raise ValueError(f"a size is a number of pixels such as 512, or two such as 1024x768, not {text[:40]!r}")
    return int(match[1]), int(match[2] or match[1])


def check_prompt(prompt: str, *, negative: bool = False) -> str:
    """The (negative) prompt without surrounding spaces.

    Raises:
        ValueError: it is empty or invisible, too long, or has characters in it that break, reorder or cover other text.
    """
    prompt, name = prompt.strip(), "negative prompt" if negative else "prompt"
    if all(unicodedata.category(letter) in _UNSEEN for letter in prompt):
        remedy = "say what to keep out" if negative else "say what to draw, for example: a big cat on a blue background"
        raise ValueError(f"the {name} is empty; {remedy}")
    if len(prompt) > MAX_PROMPT:
        raise ValueError(f"the {name} has {len(prompt)} characters; shorten it to {MAX_PROMPT} or fewer")
    if any(unicodedata.category(letter) in _BREAKS or letter in _REORDERING for letter in prompt):
        raise ValueError(f"the {name} has control characters in it; type it as plain text on one line")
    marks = 0
    for letter in prompt:
        marks = marks + 1 if unicodedata.category(letter) in {"Mn", "Me"} else 0
        if marks > _MOST_MARKS:
            raise ValueError(f"the {name} has more than {_MOST_MARKS} marks on one letter; type it as plain text")
    return prompt


def sides(size: tuple[int, int]) -> str:
    """A picture's width and height as text: `1024x768`."""
    return f"{size[0]}x{size[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One model at one number of steps; None means the model's own default."""

    model: str
    steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParameters:
    """Parameters that override the recipes'; None keeps each recipe's own.

    Args:
        eta: share of new noise in each step (TCD's γ), 0 to 1.
        strength: scale of an adapter, above 0 and up to 2.
        guidance_scale: of classifier-free guidance, 1 (none) to 20.
        negative_prompt: content that guidance avoids.
        size: width and height of the pictures in pixels.

    Raises:
        ValueError: a number is out of range, or the negative prompt cannot be used.
    """

    eta: float | None = None
    strength: float | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.eta is not None and not 0 <= self.eta <= 1:
            raise ValueError(f"eta must be a number from 0 to 1, not {self.eta:g}")
        if self.strength is not None:
            check_strength(self.strength)
        if self.guidance_scale is not None and not 1 <= self.guidance_scale <= MAX_GUIDANCE:
            raise ValueError(
                f"guidance must be a number from 1 (none) to {MAX_GUIDANCE:g}, not {self.guidance_scale:g}"
            )
        if self.negative_prompt is not None:
            object.__setattr__(self, "negative_prompt", check_prompt(self.negative_prompt, negative=True))
        if self.size is not None and not all(1 <= side <= MAX_SIDE for side in self.size):
            raise ValueError(f"a picture's sides must be up to {MAX_SIDE} pixels, not {sides(self.size)}")

    @property
    def given(self) -> dict[str, Any]:
        """Those that are set, by their names."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


NO_PARAMETERS = SamplingParameters()
"""Every recipe as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control image with its scale.

    Args:
        mode: kind of the image.
        image: white lines on black, RGB (see `hypersd.sampling.control_image`).
        scale: conditioning scale, 0 to 2; None for the ControlNet's own.

    Raises:
        ValueError: the scale is out of range.
    """

    mode: ControlMode
    image: Image.Image
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not 0 <= self.scale <= MAX_CONTROL:
            raise ValueError(f"the conditioning scale must be a number from 0 to {MAX_CONTROL:g}, not {self.scale:g}")

    def scale_with(self, controlnet: ControlNetSpec) -> float:
        """The requested conditioning scale, or the ControlNet's own."""
        return controlnet.scale if self.scale is None else self.scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt and one seed for several runs of one family.

    Args:
        parameters: applied to the recipes of all runs that support them.
        count: number of pictures per run, with consecutive seeds.
        control: control image, or None.
        base: name of one of the family's styled bases; empty for its own.
        tiny_decoder: decode with the family's tiny decoder.

    Raises:
        ValueError: the prompt, the seed or the count is invalid, or there are no runs, or a run is repeated.
    """

    prompt: str
    seed: int
    family: str
    runs: tuple[Run, ...]
    parameters: SamplingParameters = NO_PARAMETERS
    count: int = 1
    control: Control | None = None
    base: str = ""
    tiny_decoder: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", check_prompt(self.prompt))
        if not 0 <= self.seed <= MAX_SEED:
            raise ValueError(f"a seed is a whole number from 0 to {MAX_SEED}, not {self.seed}")
        if not 1 <= self.count <= MAX_COUNT:
            raise ValueError(f"the number of pictures must be from 1 to {MAX_COUNT}, not {self.count}")
        if self.seeds[-1] > MAX_SEED:
            raise ValueError(f"{self.count} pictures take seeds up to {self.seeds[-1]}, and {MAX_SEED} is the last one")
        if not self.runs:
            raise ValueError("no model is chosen; choose at least one")
        if twice := [run for index, run in enumerate(self.runs) if run in self.runs[:index]]:
            raise ValueError(f"{twice[0].model} is asked for twice at the same number of steps; name it once")

    @property
    def seeds(self) -> range:
        """The seed of each picture of a run."""
        return range(self.seed, self.seed + self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One run's result.

    Args:
        calls: number of UNet evaluations (NFE).
        seconds: time for denoising and decoding, without loading, switching and previews.
        image: None if the run failed; `error` then has the reason.
        seed: of its noise.
        timesteps: of the UNet evaluations, from noise to picture.
        unread: the end of the prompt that the text encoders do not read.
        warnings: sentences about parts of the request that were not applied: unread words, layers of an adapter.
        backend: library that ran the UNet.
    """

    model: str
    steps: int
    calls: int
    guidance_scale: float
    seconds: float
    image: Image.Image | None = None
    error: str | None = None
    seed: int = 0
    timesteps: tuple[float, ...] = ()
    unread: str = ""
    warnings: tuple[str, ...] = ()
    backend: Backend = "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Preview of a run: the predicted picture after `step` of `steps`; `seed` is that of its noise."""

    model: str
    steps: int
    step: int
    image: Image.Image
    seed: int = 0
