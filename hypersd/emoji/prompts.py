"""Prompts in the two canonical forms: held-out combinations for tests, and training combinations for votes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hypersd.emoji.captions import caption
from hypersd.emoji.world import World, place

_SIZES = ("small", "pair", "big", "pair")
_PATIENCE = 50
"""Attempts per requested prompt."""


def held_out_prompts(world: World, n: int, seed: int = 0) -> list[str]:
    """`n` prompts in the two canonical forms: half single objects (as many big as small), half pairs.

    A single object, and the left one of a pair, is held out from the background; so is the right one if the world
    allows it. No held-out combination is repeated before all were used once. The same seed gives the same prompts, and
    a shorter list is the beginning of a longer one.

    Raises:
        ValueError: `n` is negative, or the world has no held-out combinations, or a single object.
    """
    if n < 0:
        raise ValueError(f"the number of prompts must not be negative, but is {n}")
    if not world.held_out or len(world.objects) < 2:
        raise ValueError("held-out prompts need a world with two or more objects and held-out combinations")
    rng = np.random.default_rng(seed)
    combinations = sorted(world.held_out)
    turns: list[tuple[str, str]] = []
    prompts: list[str] = []
    while len(prompts) < n:
        if not turns:
            turns = [combinations[index] for index in rng.permutation(len(combinations))]
        thing, ground = turns.pop()
        size = _SIZES[len(prompts) % len(_SIZES)]
        names = (thing, _beside(world, thing, ground, rng)) if size == "pair" else (thing,)
        prompts.append(caption(place(world, names, ground, size, rng)))
    return prompts


def common_prompts(world: World, n: int, seed: int = 0) -> list[str]:
    """`n` different prompts of combinations that are not held out, in the same forms; fewer if the world is small.

    A model that learned from votes on them can be tested on `held_out_prompts`. The same seed gives the same prompts.

    Raises:
        ValueError: `n` is negative, or the world has no such combination.
    """
    if n < 0:
        raise ValueError(f"the number of prompts must not be negative, but is {n}")
    rng = np.random.default_rng(seed)
    grounds = list(world.backgrounds)
    prompts: dict[str, None] = {}
    for attempt in range(_PATIENCE * n):
        if len(prompts) == n:
            break
        size = _SIZES[attempt % len(_SIZES)]
        ground = grounds[int(rng.integers(len(grounds)))]
        things = [name for name in world.objects if (name, ground) not in world.held_out]
        wanted = 2 if size == "pair" else 1
        if len(things) >= wanted:
            names = tuple(str(name) for name in rng.choice(things, wanted, replace=False))
            prompts[caption(place(world, names, ground, size, rng))] = None
    if n and not prompts:
        raise ValueError("all combinations of this world are held out, so there are no prompts to vote on")
    return list(prompts)


def _beside(world: World, thing: str, ground: str, rng: np.random.Generator) -> str:
    """Another object for the background, also held out from it if possible."""
    others = [name for name in world.objects if name != thing]
    also = [name for name in others if (name, ground) in world.held_out]
    choices = also or others
    return choices[int(rng.integers(len(choices)))]


@dataclass(frozen=True)
class WorldPrompts:
    """A world's prompts (see `hypersd.models.families.embedded.PromptSource`)."""

    world: World

    def held_out(self, n: int, seed: int = 0) -> list[str]:
        """`held_out_prompts` of the world."""
        return held_out_prompts(self.world, n, seed)

    def common(self, n: int, seed: int = 0) -> list[str]:
        """`common_prompts` of the world."""
        return common_prompts(self.world, n, seed)
