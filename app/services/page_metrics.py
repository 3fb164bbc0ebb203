"""Counts of a page for Prometheus. Each page has its own registry, so that two in one process are counted apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram

from hypersd.arena.service.image_generator import GeneratedImage, GenerationError, ImageGenerator
from hypersd.arena.votes.battle import Contestant

Refusal = Literal["rate limit", "duplicate vote", "invalid", "unavailable", "upload", "too large"]

_DRAW_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, math.inf)
"""Upper bounds of the histogram: from one step on a GPU to fifty of SDXL on a processor."""


@dataclass(frozen=True)
class PageMetrics:
    """Counters of a page. Thread-safe.

    Args:
        registry: holds all metrics of the page.
    """

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    votes: Counter = field(init=False)
    refusals: Counter = field(init=False)
    draws: Histogram = field(init=False)
    failed_draws: Counter = field(init=False)

    def __post_init__(self) -> None:
        model = ("family", "model")
        metrics = {
            "votes": Counter("hypersd_votes", "Votes stored.", ("choice",), registry=self.registry),
            "refusals": Counter("hypersd_refused_requests", "Requests refused.", ("reason",), registry=self.registry),
            "draws": Histogram(
                "hypersd_draw_seconds",
                "Time of each picture, without loading.",
                model,
                buckets=_DRAW_SECONDS,
                registry=self.registry,
            ),
            "failed_draws": Counter("hypersd_failed_draws", "Pictures that failed.", model, registry=self.registry),
        }
        for name, metric in metrics.items():
            object.__setattr__(self, name, metric)

    def count_vote(self, choice: str) -> None:
        """Count a stored vote."""
        self.votes.labels(choice).inc()

    def count_refusal(self, reason: Refusal) -> None:
        """Count a refused request."""
        self.refusals.labels(reason).inc()

    def count_draw(self, family: str, model: str, seconds: float | None) -> None:
        """Count a picture, with its seconds; None if it failed."""
        if seconds is None:
            self.failed_draws.labels(family, model).inc()
        else:
            self.draws.labels(family, model).observe(seconds)


class DrawCounter(Protocol):
    """Counter of pictures: a page's metrics, or a report to another process."""

    def count_draw(self, family: str, model: str, seconds: float | None) -> None:
        """Count a picture, with its seconds; None if it failed."""
        ...


@dataclass(frozen=True)
class MeasuredGenerator:
    """Generator of images that counts them."""

    generator: ImageGenerator
    metrics: DrawCounter

    @property
    def device(self) -> str:
        """Device and precision of the drawing."""
        return self.generator.device

    @property
    def software(self) -> Mapping[str, str]:
        """Versions of the libraries that affect the pictures, by name."""
        return self.generator.software

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        """Draw and count.

        Raises:
            GenerationError, GenerationInterrupted: as the generator.
        """
        try:
            images = self.generator(prompt, seed, contestants)
        except GenerationError as error:
            self.metrics.count_draw(error.contestant.family, error.contestant.model, None)
            raise
        for contestant, image in zip(contestants, images, strict=True):
            self.metrics.count_draw(contestant.family, contestant.model, image.seconds)
        return images
