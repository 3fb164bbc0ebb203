"""The judge: detects the objects and the background of a picture, and measures how clean the picture is.

It uses no network: it searches for the world's sprites (see `matching`) on the background colour of the picture's
border. It has no learned weights, so models cannot share its errors through common training data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hypersd.emoji.captions import read
from hypersd.emoji.matching import Field, Finder, Floats, Match
from hypersd.emoji.world import Pixels, Placed, Scene, World

PromptKind = Literal["single", "pair"]

_BORDER = 3
"""Width in pixels of the border whose median is the background; objects cover only a part of it."""

_CANDIDATES = 4
"""Number of objects of the coarse search that are refined, in each field."""

_CONVINCING = 0.5
"""Share of its square's energy that each of two objects must explain for a picture to count as a pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedScene:
    """Scene that was detected in a picture.

    `objects`: one or two, from left to right; none if the picture is empty. `background`: the nearest of the world's.
    `match`: similarity of this scene to the picture (see `SpriteJudge.detect`), in [0, 1].
    """

    objects: tuple[Placed, ...]
    background: str
    match: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMatch:
    """Match of a picture with its prompt.

    `objects`: true for exactly the right object, or both in the right order. `background`: true for the right one.
    `match`: how clean the picture is, independent of the prompt.
    """

    objects: bool
    background: bool
    match: float
    kind: PromptKind


class SpriteJudge:
    """Judges pictures of a world.

    Args:
        world: has the objects and backgrounds to search for.
        side: the pictures' side in pixels, an even number.

    Raises:
        ValueError: `side` is odd or too small to tell objects apart.
    """

    def __init__(self, world: World, side: int = 128) -> None:
        if side < 32 or side % 2:
            raise ValueError(f"pictures to be judged need an even side of at least 32 pixels, not {side}")
        self.world, self.side = world, side
        self._finder = Finder(world, side)
        largest = world.sizes["pair"][1] + 0.03
        self._fields = (Field(0.0, 1.0, 1.0), Field(0.1, 0.42, largest), Field(0.58, 0.9, largest))

    def detect(self, picture: Pixels, count: int | None = None) -> DetectedScene:
        """Detect the scene in a picture, given nothing but, optionally, the number of its objects, 1 or 2.

        With D the picture minus its own background (the median colour of its border) and M the detected objects,
        rendered on that background, minus the background, both with colours in [0, 1],

            match = max(0, 1 - Σ (D - M)² / (Σ D² + Σ M²)) = max(0, 2 Σ D M / (Σ D² + Σ M²)),

        summed over all pixels and channels: a cosine similarity that also depends on the strength. It is 1 only if the
        picture equals the scene; noise, blur, a wrong sprite, and any other difference lower it. An empty picture has
        match 0.

        Args:
            picture: `(side, side, 3)`, 8 bits per channel.
            count: number of objects; None lets the judge decide.

        Raises:
            ValueError: the picture has another shape or type.
        """
        if picture.shape != (self.side, self.side, 3) or picture.dtype != np.uint8:
            raise ValueError(f"expected {self.side} x {self.side} pixels of 8-bit RGB, not {picture.shape}")
        colours = picture.astype(np.float32) / 255
        ground = _border_colour(colours)
        difference = colours - ground
        whole, left, right = self._finder.survey(difference, ground, self._fields, _CANDIDATES)
        single: tuple[Match, ...] = ()
        pair: tuple[Match, ...] = ()
        if count != 2 and (best := self._finder.best(difference, ground, whole)):
            single = (best,)
        if count != 1:
            pair = self._pair(difference, ground, left, right)
        chosen = pair if count == 2 or (count is None and self._is_pair(difference, single, pair)) else single
        return DetectedScene(
            objects=tuple(self._placed(match) for match in chosen),
            background=self._name_of(ground),
            match=self._similarity(difference, ground, chosen),
        )

    def score(self, picture: Pixels, wanted: str | Scene) -> PromptMatch:
        """Compare a picture with a scene, or with a caption of the family.

        For a pair the judge searches for two objects; for a single object it decides on the number itself, and a
        second object counts as an error.

        Raises:
            ValueError: the picture has another shape, or the caption does not name one or two objects and a background.
        """
        names, background = self._wanted(wanted)
        finding = self.detect(picture, count=2 if len(names) == 2 else None)
        return PromptMatch(
            objects=tuple(placed.name for placed in finding.objects) == names,
            background=finding.background == background,
            match=finding.match,
            kind="pair" if len(names) == 2 else "single",
        )

    def _wanted(self, wanted: str | Scene) -> tuple[tuple[str, ...], str]:
        if isinstance(wanted, Scene):
            return tuple(placed.name for placed in wanted.objects), wanted.background
        reading = read(self.world, wanted)
        if len(reading.objects) not in (1, 2) or reading.background is None:
            raise ValueError(f"cannot judge {wanted!r}: it must name one or two objects and a background")
        return reading.objects, reading.background

    def _pair(
        self, difference: Floats, ground: Floats, left: Sequence[Match], right: Sequence[Match]
    ) -> tuple[Match, ...]:
        """The left object, then the right one in the residual picture; fewer if they explain nothing."""
        first = self._finder.best(difference, ground, left)
        if first is None:
            second = self._finder.best(difference, ground, right)
            return () if second is None else (second,)
        rest = difference - self._drawn(ground, (first,))
        second = self._finder.best(rest, ground, right)
        return (first,) if second is None else (first, second)

    def _is_pair(self, difference: Floats, single: tuple[Match, ...], pair: tuple[Match, ...]) -> bool:
        """True if two objects explain the picture better than one, and each explains enough of its square."""
        if len(pair) < 2 or sum(match.gain for match in pair) <= sum(match.gain for match in single):
            return False
        energies = [float(np.square(difference[match.window]).sum()) for match in pair]
        return all(match.gain > _CONVINCING * energy for match, energy in zip(pair, energies, strict=True))

    def _similarity(self, difference: Floats, ground: Floats, matches: tuple[Match, ...]) -> float:
        drawn = self._drawn(ground, matches)
        energy = float(np.square(difference).sum() + np.square(drawn).sum())
        return max(0.0, 2 * float(np.vdot(difference, drawn)) / energy) if energy > 0 else 0.0

    def _drawn(self, ground: Floats, matches: tuple[Match, ...]) -> Floats:
        """The rendered objects minus the background."""
        canvas = np.broadcast_to(ground, (self.side, self.side, 3)).copy()
        for match in matches:
            sprite = self.world.sprite(match.name, match.pixels)
            canvas[match.window] = canvas[match.window] * (1 - sprite[..., 3:]) + sprite[..., :3]
        return canvas - ground

    def _placed(self, match: Match) -> Placed:
        return Placed(
            name=match.name,
            x=(match.left + match.pixels / 2) / self.side,
            y=(match.top + match.pixels / 2) / self.side,
            size=match.pixels / self.side,
        )

    def _name_of(self, ground: Floats) -> str:
        def distance(name: str) -> float:
            return float(np.square(ground - np.asarray(self.world.backgrounds[name]) / 255).sum())

        return min(self.world.backgrounds, key=distance)


def _border_colour(colours: Floats) -> Floats:
    inner = slice(_BORDER, -_BORDER)
    frame = np.ones(colours.shape[:2], dtype=bool)
    frame[inner, inner] = False
    return np.median(colours[frame], axis=0).astype(np.float32)
