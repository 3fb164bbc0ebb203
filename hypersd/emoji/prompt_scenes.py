"""Prompts as scenes: the check that one can be judged, and scenes rendered as prompts describe them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np

from hypersd.emoji.captions import read
from hypersd.emoji.world import Pixels, Scene, World, place, render


def check_judged(world: World, prompt: str) -> None:
    """See that a prompt says what the judge should look for.

    Raises:
        ValueError: it does not.
    """
    reading = read(world, prompt)
    if len(reading.objects) not in (1, 2) or reading.background is None:
        raise ValueError(
            "the judge needs one or two objects and a background, as in 'a big cat on a blue background', "
            f"not {prompt[:80]!r}"
        )


def prompted_scene(world: World, prompt: str, rng: np.random.Generator) -> Scene:
    """A scene that shows what a prompt asks for; what it leaves open is drawn by lot.

    Raises:
        ValueError: a word is unknown, or there are not one or two objects.
    """
    reading = read(world, prompt)
    if reading.unknown:
        raise ValueError(f"the world has no {', '.join(repr(word) for word in reading.unknown)}")
    if len(reading.objects) not in (1, 2):
        raise ValueError("name one or two objects, as in 'a big cat on a blue background'")
    background = reading.background or list(world.backgrounds)[rng.integers(len(world.backgrounds))]
    return place(world, reading.objects, background, reading.size or ("small", "big")[rng.integers(2)], rng)


def rendered(world: World, prompts: Sequence[str], n: int, side: int, seed: int = 0) -> Iterator[Pixels]:
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
