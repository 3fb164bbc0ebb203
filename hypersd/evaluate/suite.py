"""Suite of metrics: the sprite judge, the CLIP score, and a reward model if there is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hypersd.emoji.sprite_judge import SpriteJudge
from hypersd.emoji.world import World
from hypersd.evaluate.clip_score import ClipScore
from hypersd.evaluate.diversity import distances
from hypersd.evaluate.metrics import ImageMetrics
from hypersd.sampling.request import Generation

RewardFunction = Callable[[Sequence[Image.Image], Sequence[str]], NDArray[np.float32]]
"""Rewards of pictures for their prompts, `(N,)`; the more the better."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MeasuredImage:
    """Metrics of one picture, and its embedding before it is normalised, `(D,)`."""

    metrics: ImageMetrics
    features: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class MetricSuite:
    """Suite of metrics, which measures all pictures of a prompt at once: each model's, under every seed."""

    judge: SpriteJudge
    clip: ClipScore
    reward: RewardFunction | None = None

    @classmethod
    def of(cls, folder: Path, pixels: int, reward: RewardFunction | None = None) -> MetricSuite:
        """Metric suite for pictures of `pixels` × `pixels` of the world in a folder, with the CLIP model beside it.

        Raises:
            OSError: one of them is missing.
        """
        return cls(judge=SpriteJudge(World.load(folder), pixels), clip=ClipScore(folder / "clip"), reward=reward)

    def measure(self, prompt: str, drawn: Sequence[tuple[int, Generation]]) -> list[MeasuredImage]:
        """Judge the pictures of a prompt, in the order given; runs that failed are left out.

        The diversity of a model at a number of steps is measured from two pictures on, and NaN before.

        Args:
            prompt: what all of them were asked to show.
            drawn: the seed of each, and what came of it.

        Raises:
            ValueError: the judge cannot read the prompt, or the reward model does not give a number a picture.
        """
        there = [(seed, one, one.image.convert("RGB")) for seed, one in drawn if one.image is not None]
        images, prompts = [image for _, _, image in there], [prompt] * len(there)
        features = self.clip.embed(images)
        scores = self.clip.score(features, prompts)
        apart = _diversities([(one.model, one.steps) for _, one, _ in there], features)
        looks: list[MeasuredImage] = []
        for place, ((seed, generation, image), liked) in enumerate(
            zip(there, self._rewards(images, prompts), strict=True)
        ):
            verdict = self.judge.score(np.asarray(image), prompt)
            judged = ImageMetrics(
                model=generation.model,
                steps=generation.steps,
                prompt=prompt,
                seed=seed,
                object=float(verdict.objects) if verdict.kind == "single" else math.nan,
                pair=float(verdict.objects) if verdict.kind == "pair" else math.nan,
                background=float(verdict.background),
                match=verdict.match,
                clip=float(scores[place]),
                reward=liked,
                diversity=apart[place],
                seconds=generation.seconds,
            )
            looks.append(MeasuredImage(metrics=judged, features=features[place]))
        return looks

    def _rewards(self, images: Sequence[Image.Image], prompts: Sequence[str]) -> list[float]:
        if self.reward is None or not images:
            return [math.nan] * len(images)
        rewards = np.asarray(self.reward(images, prompts))
        if rewards.shape != (len(images),):
            raise ValueError(f"the reward model gave {rewards.shape} numbers for {len(images)} pictures")
        return [float(reward) for reward in rewards]


def _diversities(runs: Sequence[tuple[str, int]], features: NDArray[np.float32]) -> list[float]:
    """Each picture's distance to the others of its run; NaN if it is alone."""
    apart = np.full(len(runs), math.nan)
    for run in dict.fromkeys(runs):
        places = [place for place, other in enumerate(runs) if other == run]
        if len(places) > 1:
            apart[places] = distances(features[places])
    return apart.tolist()
