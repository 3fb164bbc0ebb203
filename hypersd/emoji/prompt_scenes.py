"""Conversion of prompts to scenes: a check that a prompt can be judged, and rendering of prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np

from hypersd.emoji.captions import read
from hypersd.emoji.world import Pixels, Scene, World, place, render


def check_judged(world: World, prompt: str) -> None:
    """Check that the judge can score a prompt.

    Raises:
        ValueError: the prompt does not name one or two objects and a background.
    """
    reading = read(world, prompt)
    if len(reading.objects) not in (1, 2) or reading.background is None:
        raise ValueError(
            "the judge needs one or two objects and a background, as in 'a big cat on a blue background', "
            f"not {prompt[:80]!r}"
        )


def prompted_scene(world: World, prompt: str, rng: np.random.Generator) -> Scene:
    """A scene that matches a prompt; unspecified properties are random.

    Raises:
        ValueError: a word is unknown, or there are not one or two objects.
    """
    reading = read(world, prompt)
    if reading.unknown:
        raise ValueError(f"this family cannot draw {', '.join(repr(word) for word in reading.unknown)}")
    if len(reading.objects) not in (1, 2):
        raise ValueError("name one or two objects, as in 'a big cat on a blue background'")
    background = reading.background or list(world.backgrounds)[rng.integers(len(world.backgrounds))]
    return place(world, reading.objects, background, reading.size or ("small", "big")[rng.integers(2)], rng)


def rendered(world: World, prompts: Sequence[str], n: int, side: int, seed: int = 0) -> Iterator[Pixels]:
    """`n` pictures `(side, side, 3)` of the prompts in cyclic order, with random positions and sizes of the objects.

    A single object without a size in the prompt is big or small. The same seed gives the same pictures.

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
