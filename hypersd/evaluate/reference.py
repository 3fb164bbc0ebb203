"""Reference of the Fréchet distance: pictures without a fault, in the features of the family's CLIP."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from hypersd.evaluate.clip_score import ClipScore, Pixels
from hypersd.evaluate.frechet import Moments, distance
from hypersd.evaluate.intervals import Floats

SCENES = 1024
"""Real pictures, at least: so many that nearly all of the bias comes from the pictures that are measured."""

_SEED, _OTHER_SEED = 0, 1

Scenes = Callable[[int, int], Iterable[Pixels]]
"""From a number and a seed to as many real pictures `(side, side, 3)` of the prompts, in turn."""


class FrechetReference(Protocol):
    """Real pictures to measure a Fréchet distance from."""

    @property
    def description(self) -> str:
        """Words after "the Fréchet distance of N pictures to", and what it can be compared with."""
        ...

    def distance(self, features: Floats) -> float:
        """The distance of pictures by their features `(N, D)`."""
        ...

    def floor(self, n: int) -> float:
        """The distance of `n` other real pictures; NaN if there are none."""
        ...


class Reference:
    """Rendered scenes of some prompts, of each as many; drawn and embedded once (some seconds).

    Args:
        scenes: draws them.
        prompts: how many there are.
        clip: whose picture tower the features come from.
        least: how many scenes, at least.

    Raises:
        ValueError: a prompt cannot be rendered, or there is none, or too few scenes were asked for.
    """

    description = (
        f"{SCENES} rendered scenes or more of the same prompts, in the features of this family's own CLIP picture "
        "tower: it cannot be compared with an FID from elsewhere, nor with one of another n"
    )

    def __init__(self, scenes: Scenes, prompts: int, clip: ClipScore, *, least: int = SCENES) -> None:
        self._scenes, self._clip = scenes, clip
        self.scenes = prompts * -(-least // max(1, prompts))
        self._moments = Moments.of(self._features(self.scenes, _SEED))
        self._floors: dict[int, float] = {}

    def distance(self, features: Floats) -> float:
        """The Fréchet distance of pictures from the scenes, by the pictures' features `(N, D)` (`ClipScore.embed`).

        Raises:
            ValueError: there are too few pictures (see `frechet.LEAST`).
        """
        return distance(Moments.of(features), self._moments)

    def floor(self, n: int) -> float:
        """The distance of `n` other rendered scenes of the same prompts: what `n` perfect pictures would have.

        Raises:
            ValueError: `n` is too few (see `frechet.LEAST`).
        """
        if n not in self._floors:
            self._floors[n] = distance(Moments.of(self._features(n, _OTHER_SEED)), self._moments)
        return self._floors[n]

    def _features(self, n: int, seed: int) -> Floats:
        return self._clip.embed(list(self._scenes(n, seed)))
