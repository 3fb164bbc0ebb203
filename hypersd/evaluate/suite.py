"""Suite of metrics: all by which a family is measured, with the models that they are read off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypersd.evaluate.clip_score import ClipScore
from hypersd.evaluate.metric_sources import CLIP, INCEPTION, REWARD, MetricSource, PromptPictures, RewardFunction
from hypersd.evaluate.metrics import Metric, metrics_of
from hypersd.evaluate.picture_metrics import ImageMetrics
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.sampling.request import Generation


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MeasuredImage:
    """Metrics of one picture, and the features by which its Fréchet distance is measured, `(D,)`."""

    metrics: ImageMetrics
    features: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class MetricSuite:
    """Suite of metrics, which measures all pictures of a prompt at once: each model's, under every seed.

    Args:
        metrics: the rows.
        scorers: the loaded model of each of their sources, and of that of the features.
        features: the source of the features for a Fréchet distance.
    """

    metrics: tuple[Metric, ...]
    scorers: Mapping[MetricSource[Any, Any], Any]
    features: MetricSource[Any, Any] = CLIP

    @classmethod
    def of(
        cls,
        family: Family,
        machine: Machine,
        reward: RewardFunction | None = None,
        names: Sequence[str] | None = None,
        *,
        inception: bool = False,
    ) -> MetricSuite:
        """The suite of a family; `reward` is measured too, if there is one.

        Args:
            family: whose pictures are measured.
            machine: on which the models compute.
            reward: a reward model.
            names: of metrics; all by which the family is measured by default.
            inception: take the features for a Fréchet distance from Inception v3, as papers do.

        Raises:
            OSError: a model is missing, and cannot be fetched.
            ValueError: the family has not what it is measured by.
        """
        metrics = metrics_of(family, names)
        sources = [*sources_of(metrics), *([INCEPTION] if inception else [])]
        scorers = {source: source.load(family, machine) for source in sources}
        return cls(metrics=metrics, scorers={**scorers, REWARD: reward}, features=INCEPTION if inception else CLIP)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the metrics."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def clip(self) -> ClipScore | None:
        """The CLIP model; None if no metric is read off it."""
        return self.scorers.get(CLIP)

    def measure(self, prompt: str, drawn: Sequence[tuple[int, Generation]]) -> list[MeasuredImage]:
        """Measure the pictures of a prompt, in the order given; runs that failed are left out.

        The diversity of a model at a number of steps is measured from two pictures on, and NaN before.

        Args:
            prompt: what all of them were asked to show.
            drawn: the seed of each, and what came of it.

        Raises:
            ValueError: the judge cannot read the prompt, or the reward model does not give a number a picture.
        """
        there = [
            (seed, generation, generation.image.convert("RGB"))
            for seed, generation in drawn
            if generation.image is not None
        ]
        pictures = PromptPictures(
            prompt=prompt,
            images=[image for _, _, image in there],
            runs=[(generation.model, generation.steps) for _, generation, _ in there],
        )
        findings = {source: source.read(scorer, pictures) for source, scorer in self.scorers.items()}
        columns = {metric.name: metric.values(findings[metric.source]) for metric in self.metrics}
        known = findings.get(self.features)
        features = np.empty((len(there), 0), dtype=np.float32) if known is None else known.features
        return [
            MeasuredImage(
                metrics=ImageMetrics(
                    model=generation.model,
                    steps=generation.steps,
                    prompt=prompt,
                    seed=seed,
                    scores={name: float(column[place]) for name, column in columns.items()},
                    seconds=generation.seconds,
                ),
                features=features[place],
            )
            for place, (seed, generation, _) in enumerate(there)
        ]


def sources_of(metrics: Sequence[Metric]) -> list[MetricSource[Any, Any]]:
    """The sources of some metrics, each once."""
    return list(dict.fromkeys(metric.source for metric in metrics))


def check_measurable(family: Family, machine: Machine, names: Sequence[str] | None = None) -> None:
    """See that all by which a family is measured is there, or what metrics of these names need, before any work.

    Raises:
        OSError, ValueError: it is not; the message says what to do.
    """
    for source in sources_of(metrics_of(family, names)):
        source.check(family, machine)
