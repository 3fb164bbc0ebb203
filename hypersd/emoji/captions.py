"""The family's language: how a scene is described, and how a description is read back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hypersd.emoji.world import Scene, World

_GRAMMAR = frozenset(
    "a an the on of left right and with background next to beside in front big small large little".split()  # noqa: SIM905
)


def article(word: str) -> str:
    """The word with its indefinite article, as English wants: `a cat`, `an owl`, `a unicorn`."""
    an = word[0] in "aeio" or (word[0] == "u" and not word.startswith(("uni", "use", "uk")))
    return f"{'an' if an else 'a'} {word}"


def caption(scene: Scene) -> str:
    """The scene in the family's two canonical forms.

    `a big|small OBJECT on a COLOUR background`, or `a OBJECT left of a OBJECT on a COLOUR background`.
    """
    ground = f"on {article(scene.background)} background"
    if scene.size == "pair":
        left, right = scene.objects
        return f"{article(left.name)} left of {article(right.name)} {ground}"
    return f"a {scene.size} {scene.objects[0].name} {ground}"


def free_caption(scene: Scene, rng: np.random.Generator) -> str:
    """The same scene as a visitor might type it: shorter, reordered, sometimes silent on size or background."""
    colour = scene.background
    if scene.size == "pair":
        left, right = (placed.name for placed in scene.objects)
        things = (
            f"{left} and {right}",
            f"{article(left)} and {article(right)}",
            f"{left} left of {right}",
            f"{article(left)} left of {article(right)}",
            f"{article(left)} next to {article(right)}",
            f"{article(right)} right of {article(left)}",
        )
    else:
        name, size = scene.objects[0].name, scene.size
        other = {"big": "large", "small": "little"}[size]
        things = (name, name, article(name), f"{size} {name}", f"a {size} {name}", f"{article(other)} {name}")
    grounds = (
        "{}",
        "{}",
        "{}, " + f"{colour} background",
        "{} on " + colour,
        "{} on " + f"{article(colour)} background",
        f"{colour} background, " + "{}",
    )
    return grounds[rng.integers(len(grounds))].format(things[rng.integers(len(things))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a prompt asks for, in the family's terms: objects in order from left to right, background and size."""

    objects: tuple[str, ...]
    background: str | None
    size: str | None
    unknown: tuple[str, ...]


def read(world: World, prompt: str) -> Reading:
    """Read a prompt. Words that the family does not know are returned, in order, each once; nothing is raised."""
    words = re.findall(r"\w+", prompt.lower())
    objects = tuple(word for word in words if word in world.objects)
    if len(objects) == 2 and "right of" in " ".join(words):
        objects = objects[::-1]
    known = _GRAMMAR | world.objects.keys() | world.backgrounds.keys()
    sizes = [size for size, synonym in (("big", "large"), ("small", "little")) if size in words or synonym in words]
    return Reading(
        objects=objects,
        background=next((word for word in words if word in world.backgrounds), None),
        size="pair" if len(objects) > 1 else next(iter(sizes), None),
        unknown=tuple(dict.fromkeys(word for word in words if word not in known)),
    )


def read_scene(world: World, prompt: str) -> Reading:
    """Read a prompt of which nothing may be lost, since scenes are drawn or pictures judged by what was read.

    Raises:
        ValueError: a word is unknown, there are not one or two objects, or a colour is not that of the one background.
    """
    words = re.findall(r"\w+", prompt.lower())
    reading = read(world, prompt)
    if reading.unknown:
        raise ValueError(f"the world has no {', '.join(repr(word) for word in reading.unknown)}")
    if len(reading.objects) not in (1, 2):
        raise ValueError("name one or two objects, as in 'a big cat on a blue background'")
    grounds = dict.fromkeys(word for word in words if word in world.backgrounds)
    if len(grounds) > 1:
        raise ValueError(f"there can be one background, not {' and '.join(map(repr, grounds))}; objects have no colour")
    for word, following in pairwise(words):
        if word in world.backgrounds and following in world.objects:
            raise ValueError(
                f"objects have colours of their own, so there is no {word} {following}; write {word!r} as the "
                f"background: '{following} on {article(word)} background'"
            )
    return reading
