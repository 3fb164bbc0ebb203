"""Metrics of each picture of an evaluation; a file of them, and means over prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypersd.evaluate.intervals import bootstrap_mean
from hypersd.evaluate.metrics import BY_NAME
from hypersd.utils.errors import gist
from hypersd.utils.estimates import Estimate
from hypersd.utils.file_kinds import check_file, misread
from hypersd.utils.files import atomic_path
from hypersd.utils.spreadsheets import as_cell, text_of_cell

_BEFORE: Mapping[str, type] = {"model": str, "steps": int, "prompt": str, "seed": int}
_AFTER = "seconds"
"""Columns before and after those of the metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetrics:
    """One picture, and what was found in it.

    Args:
        scores: metrics by name (see `metrics.METRICS`); NaN where one was not measured, or does not apply.
        seconds: what the picture took to draw.
    """

    model: str
    steps: int
    prompt: str
    seed: int
    scores: Mapping[str, float]
    seconds: float

    def flat(self) -> dict[str, str | int | float]:
        """One value a column of `pictures.csv`."""
        model, prompt = as_cell(self.model), as_cell(self.prompt)
        asked = {"model": model, "steps": self.steps, "prompt": prompt, "seed": self.seed}
        return {**asked, **self.scores, _AFTER: self.seconds}


def write_pictures(pictures: Sequence[ImageMetrics], metrics: Iterable[str], file: Path) -> None:
    """Write `pictures.csv`: a line a picture, a column for each of the metrics; what is NaN is left empty.

    Raises:
        OSError: the file cannot be written.
    """
    table = pd.DataFrame([picture.flat() for picture in pictures], columns=pd.Index([*_BEFORE, *metrics, _AFTER]))
    with atomic_path(file) as part:
        table.to_csv(part, index=False, float_format="%.6g")


def read_pictures(file: Path) -> list[ImageMetrics]:
    """Read what `write_pictures` wrote; numbers have six digits.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file.
    """
    check_file(file, "a table of pictures")
    try:
        metrics, table = _read(file)
    except (ValueError, OverflowError) as error:  # pandas' own sentences name no file
        raise misread(file, "a table of pictures", gist(error)) from error
    lines: Iterable[tuple[Any, ...]] = table.itertuples(index=False, name=None)
    return [
        ImageMetrics(
            model=text_of_cell(model),
            steps=steps,
            prompt=text_of_cell(prompt),
            seed=seed,
            scores=dict(zip(metrics, numbers, strict=True)),
            seconds=seconds,
        )
        for model, steps, prompt, seed, *numbers, seconds in lines
    ]


def _read(file: Path) -> tuple[list[str], pd.DataFrame]:
    """The metrics of a table of pictures, and its columns in the order of `ImageMetrics.flat`.

    Raises:
        OSError: it cannot be read.
        ValueError: a column is missing, or a value is of another type.
    """
    names = pd.read_csv(file, nrows=0).columns
    if missing := {*_BEFORE, _AFTER} - set(names):
        raise ValueError(f"it has no column {min(missing)!r}")
    metrics = [name for name in names if name in BY_NAME]
    kinds: dict[str, Any] = {**_BEFORE, **dict.fromkeys([*metrics, _AFTER], float)}
    # Only what is empty is missing: a model may be called "NA".
    empty = {name: [""] for name in (*metrics, _AFTER)}
    table = pd.read_csv(
        file, usecols=list(kinds), dtype={"model": str, "prompt": str}, keep_default_na=False, na_values=empty
    )
    return metrics, table.reindex(columns=pd.Index(list(kinds))).astype(kinds)


def by_prompt(pictures: Sequence[ImageMetrics], metric: str) -> dict[str, float]:
    """The mean of a metric over the pictures of each prompt that have it, in the order of the prompts."""
    values: dict[str, list[float]] = {}
    for picture in pictures:
        if not np.isnan(value := picture.scores[metric]):
            values.setdefault(picture.prompt, []).append(value)
    return {prompt: float(np.mean(numbers)) for prompt, numbers in values.items()}


def over_prompts(pictures: Sequence[ImageMetrics], metric: str) -> Estimate:
    """The mean of a metric with its interval; each prompt counts once, however many pictures of it there are."""
    return bootstrap_mean(list(by_prompt(pictures, metric).values()), bounds=BY_NAME[metric].bounds)
