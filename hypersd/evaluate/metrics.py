"""Registry of metrics: one row each. Files, tables, figures and the command line follow from the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from hypersd.evaluate.hub_sources import AESTHETIC_SCORE, HPS_V2, IMAGE_REWARD_SCORE, PICK
from hypersd.evaluate.metric_sources import CLIP, JUDGE, REWARD, STYLE, MetricSource, Verdict
from hypersd.models.specs import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that every picture has, and whose mean over prompts a table shows.

    Args:
        name: of its column in files, and of its key in JSON.
        heading: in tables.
        label: at the axis of a figure.
        source: the model that it is read off.
        values: from the source's finding to a number a picture; NaN where it does not apply.
        digits: decimal places in tables; a share is shown in per cent.
        bounds: between which every value lies; None if it has none.
        share: each picture has 0 or 1.
        better: the direction in which pictures improve.
    """

    name: str
    heading: str
    label: str
    source: MetricSource[Any, Any]
    values: Callable[[Any], Sequence[float]]
    digits: int = 3
    bounds: tuple[float, float] | None = None
    share: bool = False
    better: Literal["higher", "lower"] = "higher"


def _objects(kind: Literal["single", "pair"]) -> Callable[[Sequence[Verdict]], list[float]]:
    """Right or wrong objects of prompts of one kind; other pictures have no such number."""
    return lambda verdicts: [float(verdict.objects) if verdict.kind == kind else math.nan for verdict in verdicts]


DIVERSITY = "diversity"
"""The metric whose ratio to the base's is reported too."""

METRICS: tuple[Metric, ...] = (
    Metric(
        name="object",
        heading="object",
        label="right object",
        source=JUDGE,
        values=_objects("single"),
        bounds=(0, 1),
        share=True,
    ),
    Metric(
        name="pair",
        heading="pair",
        label="right pair, in order",
        source=JUDGE,
        values=_objects("pair"),
        bounds=(0, 1),
        share=True,
    ),
    Metric(
        name="background",
        heading="background",
        label="right background",
        source=JUDGE,
        values=lambda verdicts: [float(verdict.background) for verdict in verdicts],
        bounds=(0, 1),
        share=True,
    ),
    Metric(
        name="match",
        heading="match",
        label="match",
        source=JUDGE,
        values=lambda verdicts: [verdict.match for verdict in verdicts],
        bounds=(0, 1),
    ),
    Metric(
        name="style",
        heading="style kept",
        label="in the base's style",
        source=STYLE,
        values=lambda kept: [float(each) for each in kept],
        bounds=(0, 1),
        share=True,
    ),
    Metric(
        name="clip",
        heading="CLIP",
        label="CLIP score",
        source=CLIP,
        values=lambda finding: finding.scores,
        digits=2,
    ),
    Metric(
        name="aesthetic",
        heading="Aes",
        label="LAION aesthetic score",
        source=AESTHETIC_SCORE,
        values=lambda scores: scores,
        digits=2,
    ),
    Metric(
        name="image_reward",
        heading="ImageReward",
        label="ImageReward",
        source=IMAGE_REWARD_SCORE,
        values=lambda scores: scores,
    ),
    Metric(name="pick", heading="Pick", label="PickScore", source=PICK, values=lambda scores: scores, digits=4),
    Metric(name="hps", heading="HPSv2", label="HPSv2", source=HPS_V2, values=lambda scores: scores, digits=4),
    Metric(name="reward", heading="reward", label="reward", source=REWARD, values=lambda rewards: rewards),
    Metric(
        name=DIVERSITY,
        heading="diversity",
        label="diversity",
        source=CLIP,
        values=lambda finding: finding.diversities,
    ),
)
"""In the order of a table's columns. To add a metric, add its row."""

BY_NAME: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in METRICS})


def metrics_of(family: Family, names: Sequence[str] | None = None) -> tuple[Metric, ...]:
    """The metrics by which a family is measured, or those of these names, in the order of the rows.

    Raises:
        ValueError: there is none of a name; the message lists those that there are.
    """
    if unknown := [name for name in names or () if name not in BY_NAME]:
        raise ValueError(f"unknown metric {unknown[0]!r}; choose from: {', '.join(BY_NAME)}")
    return tuple(
        metric for metric in METRICS if (metric.source.applies(family) if names is None else metric.name in names)
    )
