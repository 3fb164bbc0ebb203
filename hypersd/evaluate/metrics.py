"""Metrics of each picture of an evaluation; a file of them, and means over prompts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from hypersd.evaluate.intervals import Interval, bootstrap_mean
from hypersd.utils.files import atomic_path

Metric = Literal["object", "pair", "background", "match", "clip", "reward", "diversity"]
"""Metric of a picture, which has a mean over prompts."""

METRICS: tuple[Metric, ...] = get_args(Metric)
SHARES: tuple[Metric, ...] = ("object", "pair", "background")
"""Metrics of which a picture has 0 or 1."""

BOUNDED: tuple[Metric, ...] = (*SHARES, "match")
"""Metrics that lie in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetrics:
    """One picture, and what was found in it. What was not measured, or does not apply, is NaN.

    `object`, `pair` and `background` are 1 if right and 0 if wrong: `object` for prompts of a single one, `pair` for
    those of two. `match` is in [0, 1], `clip` 100 × a cosine, `reward` in the reward model's own unit, `diversity` the
    mean distance to the other pictures of the prompt (see `diversity.distances`), `seconds` what it took to draw.
    """

    model: str
    steps: int
    prompt: str
    seed: int
    object: float
    pair: float
    background: float
    match: float
    clip: float
    reward: float
    diversity: float
    seconds: float


def write_pictures(pictures: Sequence[ImageMetrics], file: Path) -> None:
    """Write `pictures.csv`: a line a picture, a column a field; what is NaN is left empty.

    Raises:
        OSError: the file cannot be written.
    """
    names = [field.name for field in fields(ImageMetrics)]
    table = pd.DataFrame([astuple(picture) for picture in pictures], columns=pd.Index(names))
    with atomic_path(file) as part:
        table.to_csv(part, index=False, float_format="%.6g")


def read_pictures(file: Path) -> list[ImageMetrics]:
    """Read what `write_pictures` wrote; numbers have six digits.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file.
    """
    kinds: dict[str, Any] = {
        field.name: {"str": str, "int": int}.get(str(field.type), float) for field in fields(ImageMetrics)
    }
    # Only what is empty is missing: a model may be called "NA".
    empty = {name: [""] for name, kind in kinds.items() if kind is float}
    table = pd.read_csv(file, dtype={"model": str, "prompt": str}, keep_default_na=False, na_values=empty)
    if missing := kinds.keys() - set(table.columns):
        raise ValueError(f"{file} is no table of pictures: it has no column {min(missing)!r}")
    lines: Iterable[tuple[Any, ...]] = table[list(kinds)].astype(kinds).itertuples(index=False, name=None)
    return [ImageMetrics(**dict(zip(kinds, line, strict=True))) for line in lines]


def by_prompt(pictures: Sequence[ImageMetrics], metric: Metric) -> dict[str, float]:
    """The mean of a metric over the pictures of each prompt that have it, in the order of the prompts."""
    values: dict[str, list[float]] = {}
    for picture in pictures:
        if not np.isnan(value := getattr(picture, metric)):
            values.setdefault(picture.prompt, []).append(value)
    return {prompt: float(np.mean(found)) for prompt, found in values.items()}


def over_prompts(pictures: Sequence[ImageMetrics], metric: Metric) -> Interval:
    """The mean of a metric with its interval; each prompt counts once, however many pictures of it there are."""
    bounds = (0.0, 1.0) if metric in BOUNDED else None
    return bootstrap_mean(list(by_prompt(pictures, metric).values()), bounds=bounds)
