"""Reference of the Fréchet distance: rendered scenes of the same prompts, in the features of the family's CLIP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np

from hypersd.emoji.captions import read
from hypersd.emoji.world import Pixels, World, place, render
from hypersd.evaluate.clip_score import ClipScore
from hypersd.evaluate.frechet import Moments, distance
from hypersd.evaluate.intervals import Floats

SCENES = 1024
"""Real pictures, at least: so many that nearly all of the bias comes from the pictures that are measured."""

_SEED, _OTHER_SEED = 0, 1


def real_pictures(world: World, prompts: Sequence[str], n: int, side: int, seed: int = 0) -> Iterator[Pixels]:
    """`n` scenes as the prompts describe them, in turn, each object anew in place and size; `(side, side, 3)` each.

    A single object that is asked for in no size is big or small. The same seed gives the same pictures.

    Raises:
        ValueError: a prompt does not name one or two objects and a background, or there is no prompt.
    """
    rng = np.random.default_rng(seed)
    readings = [read(world, prompt) for prompt in prompts]
    if not readings:
        raise ValueError("there are no prompts to render scenes of")
    for prompt, reading in islice(cycle(zip(prompts, readings, strict=True)), n):
        if len(reading.objects) not in (1, 2) or reading.background is None:
            raise ValueError(f"cannot render {prompt!r}: it must name one or two objects and a background")
        size = reading.size or ("big", "small")[rng.integers(2)]
        yield render(world, place(world, reading.objects, reading.background, size, rng), side)


class Reference:
    """Rendered scenes of some prompts, of each as many; drawn and embedded once (some seconds).

    Args:
        world: whose sprites the prompts name.
        prompts: what was asked for.
        side: the pictures' side in pixels.
        clip: whose picture tower the features come from.
        least: how many scenes, at least.

    Raises:
        ValueError: a prompt cannot be rendered, or there is none, or too few scenes were asked for.
    """

    def __init__(
        self, world: World, prompts: Sequence[str], side: int, clip: ClipScore, *, least: int = SCENES
    ) -> None:
        self._world, self._prompts, self._side, self._clip = world, tuple(prompts), side, clip
        self.scenes = len(prompts) * -(-least // max(1, len(prompts)))
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
        return self._clip.embed(list(real_pictures(self._world, self._prompts, n, self._side, seed)))
