"""Captions of scenes, and the parser of prompts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from hypersd.emoji.world import Scene, World

_GRAMMAR = frozenset(
    "a an the on of left right and with background next to beside in front big small large little".split()  # noqa: SIM905
)

_SIZES: Mapping[str, str] = MappingProxyType({"big": "big", "large": "big", "small": "small", "little": "small"})


def article(word: str) -> str:
    """The word with its indefinite article: `a cat`, `an owl`, `a unicorn`."""
    an = word[0] in "aeio" or (word[0] == "u" and not word.startswith(("uni", "use", "uk")))
    return f"{'an' if an else 'a'} {word}"


def caption(scene: Scene) -> str:
    """The canonical caption of a scene.

    `a big|small OBJECT on a COLOUR background`, or `a OBJECT left of a OBJECT on a COLOUR background`.
    """
    ground = f"on {article(scene.background)} background"
    if scene.size == "pair":
        left, right = scene.objects
        return f"{article(left.name)} left of {article(right.name)} {ground}"
    return f"a {scene.size} {scene.objects[0].name} {ground}"


def free_caption(scene: Scene, rng: np.random.Generator) -> str:
    """A caption as a visitor might type it: shorter, reordered, sometimes without size or background."""
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
    """Parsed prompt: its objects, and words that cannot be drawn.

    Args:
        objects: from left to right.
        unknown: words and pictographs outside the vocabulary, in order, without duplicates.
        unused: words of the vocabulary that cannot be drawn at their position, such as the colour of an object.
    """

    objects: tuple[str, ...]
    background: str | None
    size: str | None
    unknown: tuple[str, ...]
    unused: tuple[str, ...] = ()


def read(world: World, prompt: str) -> Reading:
    """Parse a prompt. Words that are unknown or cannot be drawn are part of the result; no error is raised."""
    tokens = re.findall(r"\w+|[^\w\s]", prompt.lower())
    words = [token for token in tokens if re.match(r"\w", token)]
    objects = tuple(word for word in words if word in world.objects)
    if len(objects) == 2 and "right of" in " ".join(words):
        objects = objects[::-1]
    known = _GRAMMAR | world.objects.keys() | world.backgrounds.keys()
    described = {
        index: _described(world, tokens, index) for index, word in enumerate(tokens) if word in world.backgrounds
    }
    background = _background(world, tokens, described)
    pictographs = {token for token in tokens if unicodedata.category(token[0]) == "So"}
    sizes = list(dict.fromkeys(_SIZES[word] for word in words if word in _SIZES))
    size = "pair" if len(objects) > 1 else next(iter(sizes), None)
    unused = {*objects[2:], "front", *(() if len(objects) > 1 else ("left", "right"))}
    unused |= {word for word, meaning in _SIZES.items() if meaning != size}
    unused |= {
        tokens[index] for index, thing in described.items() if thing in world.objects or tokens[index] != background
    }
    return Reading(
        objects=objects,
        background=background,
        size=size,
        unknown=tuple(dict.fromkeys(token for token in tokens if token in {*words, *pictographs} - known)),
        unused=tuple(dict.fromkeys(word for word in words if word in unused)),
    )


def _background(world: World, tokens: Sequence[str], described: Mapping[int, str | None]) -> str | None:
    """The colour of the background: the one before "background", otherwise the first that describes no object."""
    called = [index for index, thing in described.items() if thing == "background"]
    others = [index for index, thing in described.items() if thing not in world.objects]
    return next((tokens[index] for index in (*called, *others)), None)


def _described(world: World, tokens: Sequence[str], index: int) -> str | None:
    """The word that an adjective describes: the next word that is not an adjective; None at the end."""
    adjectives = world.backgrounds.keys() | _SIZES.keys()
    for place in range(index + 1, len(tokens)):
        joins = tokens[place] == "and" and place + 1 < len(tokens) and tokens[place + 1] in adjectives
        if tokens[place] not in {*adjectives, "-"} and not joins:
            return tokens[place]
    return None
