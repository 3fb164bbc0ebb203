"""Detection of sprites in a picture: matched filters over size and position, coarse to fine.

Once the flat background is subtracted, an object of alpha A and premultiplied colour P (both at some size and place)
on the background b shows the *template* T = P - A b. A template that is in the picture D with strength a explains
|D|² - |D - a T|² = 2 a ⟨D, T⟩ - a² |T|² of its energy, summed over all pixels and channels: this *gain* compares all
hypotheses (object, size, position). Unlike plain correlation it does not prefer large or bright sprites, and unlike
normalised correlation it does not prefer small or pale ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from hypersd.emoji.world import World

Floats = NDArray[np.floating[Any]]

WEAKEST, STRONGEST = 0.6, 1.15
"""Range of an object's strength relative to its sprite; outside this range it is another object."""

_MARGIN = 0.02
"""Margin below and above the world's sizes for an object, as a fraction of the picture's side."""

_REACH = 0.05
"""Largest distance of the fine search from its start, as a fraction of the picture's side."""

_HOPELESS = 0.5
"""Candidates with less than this share of the best candidate's gain are not refined."""

_MOVES = (
    *((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0)),
    *((-right, -down, 1) for right in (0, 1) for down in (0, 1)),
    *((right, down, -1) for right in (0, 1) for down in (0, 1)),
    *((-1, -1, 2), (1, 1, -2)),
)
"""Steps to the neighbours of a hypothesis: changes of left, top and size, in pixels."""


class Field(NamedTuple):
    """Horizontal range of an object's centre, and its largest size; fractions of the side."""

    left: float
    right: float
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A hypothesis: an object in the square `left`, `top`, `pixels`, and the energy it explains (colours in [0, 1])."""

    name: str
    left: int
    top: int
    pixels: int
    gain: float

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of its square."""
        return slice(self.top, self.top + self.pixels), slice(self.left, self.left + self.pixels)


class Finder:
    """Detector of a world's objects in pictures of `side` pixels, an even number.

    The templates' spectra at half resolution are computed once (a second and 45 MB for 66 objects) for all
    backgrounds: a template is linear in the background's colour. No sprite crosses the picture's edge, so the circular
    correlation equals the linear one wherever it is used.
    """

    def __init__(self, world: World, side: int) -> None:
        self.world, self.side = world, side
        self._names = tuple(world.objects)
        low, high = min(low for low, _ in world.sizes.values()), max(high for _, high in world.sizes.values())
        self._smallest, self._largest = round((low - _MARGIN) * side), min(round((high + _MARGIN) * side), side)
        self._sizes = _grid(world, side)
        self._spectra: list[NDArray[np.complex64]] = []
        self._products: list[Floats] = []
        for size in self._sizes:
            sprites = np.stack([np.moveaxis(halved(world.sprite(name, size)), -1, 0) for name in self._names])
            self._spectra.append(np.conj(_spectra(sprites, side // 2)))
            self._products.append(np.einsum("nihw,njhw->nij", sprites, sprites))

    def survey(self, difference: Floats, ground: Floats, fields: Sequence[Field], count: int) -> list[list[Match]]:
        """The `count` best objects for each field, best first, each at its best position on a coarse grid.

        Args:
            difference: the picture minus `ground`, `(side, side, 3)`.
            ground: the background's colour in [0, 1], `(3,)`.
            fields: regions to search.
            count: largest number of objects for each field.
        """
        half = self.side // 2
        spectrum = _spectra(np.moveaxis(halved(difference), -1, 0), half)
        bands = np.concatenate([spectrum, -np.tensordot(ground, spectrum, axes=1)[None]])
        hits: list[list[list[Match]]] = [[[] for _ in self._names] for _ in fields]
        for size, spectra, products in zip(self._sizes, self._spectra, self._products, strict=True):
            product = bands[0] * spectra[:, 0]
            for band in range(1, 4):
                product += bands[band] * spectra[:, band]
            correlation = np.asarray(fft.irfft2(product, s=(half, half), overwrite_x=True))
            energy = _energy(products, ground)
            last = half - size // 2
            for matches, field in zip(hits, fields, strict=True):
                start = max(0, round(field.left * half - size / 4))
                stop = min(last, round(field.right * half - size / 4))
                if size > field.largest * self.side or stop < start:
                    continue
                places = correlation[:, : last + 1, start : stop + 1].reshape(len(self._names), -1)
                best = places.argmax(axis=1)
                gains = _gain(np.take_along_axis(places, best[:, None], axis=1)[:, 0], energy)
                tops, lefts = np.divmod(best, stop - start + 1)
                for number, name in enumerate(self._names):
                    left, top = 2 * (int(lefts[number]) + start), 2 * int(tops[number])
                    match = Match(name=name, left=left, top=top, pixels=size, gain=4 * float(gains[number]))
                    matches[number].append(match)
        return [
            sorted((max(matches, key=_by_gain) for matches in field if matches), key=_by_gain, reverse=True)[:count]
            for field in hits
        ]

    def refine(self, difference: Floats, ground: Floats, match: Match) -> Match:
        """The best hypothesis about the same object nearby, at full resolution: hill climbing over size and place.

        The search stays near its start, so that it cannot move to another object.
        """
        search = _Search(self.world, match.name, difference, ground)
        seen: set[tuple[int, int, int]] = set()
        best = search.at((match.left, match.top, match.pixels))
        while True:
            places = {(best.left + dx, best.top + dy, best.pixels + size) for dx, dy, size in _MOVES} - seen
            seen |= places
            tried = [search.at(place) for place in places if self._fits(place, match)]
            better = max(tried, key=_by_gain, default=best)
            if better.gain <= best.gain:
                return best
            best = better

    def best(self, difference: Floats, ground: Floats, candidates: Sequence[Match]) -> Match | None:
        """The refined candidate with the largest gain; None if no gain is positive."""
        least = _HOPELESS * max((candidate.gain for candidate in candidates), default=0.0)
        refined = [self.refine(difference, ground, match) for match in candidates if match.gain >= least]
        match = max(refined, key=_by_gain, default=None)
        return match if match is not None and match.gain > 0 else None

    def _fits(self, place: tuple[int, int, int], start: Match) -> bool:
        """True if the square is inside the picture, has a possible size, and is close to the start of the search."""
        left, top, pixels = place
        inside = 0 <= left <= self.side - pixels and 0 <= top <= self.side - pixels
        across, down = left - start.left + (pixels - start.pixels) / 2, top - start.top + (pixels - start.pixels) / 2
        near = max(abs(across), abs(down)) <= _REACH * self.side
        return inside and near and self._smallest <= pixels <= self._largest


class _Search:
    """Gain of one object at many positions and sizes in one picture.

    No template is rendered: ⟨D, P - A b⟩ = ⟨D, P⟩ + ⟨-D b, A⟩ is the product of the picture's bands (D, -D b) with the
    sprite's (P, A), and a template's energy follows from the sprite's inner products, once for each size.
    """

    def __init__(self, world: World, name: str, difference: Floats, ground: Floats) -> None:
        self._world, self._name, self._ground = world, name, ground
        self._bands = np.concatenate([difference, -(difference @ ground)[..., None]], axis=-1)
        self._energies: dict[int, Floats] = {}

    def at(self, place: tuple[int, int, int]) -> Match:
        """The object in the square of `left`, `top` and `pixels`."""
        left, top, pixels = place
        sprite = self._world.sprite(self._name, pixels)
        correlation = np.vdot(self._bands[top : top + pixels, left : left + pixels], sprite)
        if pixels not in self._energies:
            flat = sprite.reshape(-1, 4)
            self._energies[pixels] = _energy((flat.T @ flat)[None], self._ground)[0]
        gain = float(_gain(np.asarray(correlation), self._energies[pixels]))
        return Match(name=self._name, left=left, top=top, pixels=pixels, gain=gain)


def halved(picture: Floats) -> Floats:
    """Half the resolution, by the mean of 2 × 2 pixels."""
    return (picture[::2, ::2] + picture[1::2, ::2] + picture[::2, 1::2] + picture[1::2, 1::2]) / 4


def _grid(world: World, side: int) -> tuple[int, ...]:
    """Even sizes in pixels, so dense that every size of the world is within 4 % of one."""
    sizes: set[int] = set()
    for low, high in world.sizes.values():
        size = low * side
        while size < high * side * 1.04:
            sizes.add(2 * round(size / 2))
            size *= 1.07
    return tuple(sorted(size for size in sizes if size <= side))


def _spectra(bands: Floats, side: int) -> NDArray[np.complex64]:
    """Fourier transforms of bands `(..., h, w)`, zero-padded to `side` × `side`."""
    return np.asarray(fft.rfft2(bands, s=(side, side)), dtype=np.complex64)


def _energy(products: Floats, ground: Floats) -> Floats:
    """|P - A b|² of every template, from the inner products `(N, 4, 4)` of the sprites' bands (P, A)."""
    coefficients = np.append(ground, np.float32(0))
    alpha = products[:, 3, 3] * float(ground @ ground)
    return products[:, 0, 0] + products[:, 1, 1] + products[:, 2, 2] - 2 * products[:, 3] @ coefficients + alpha


def _gain(correlation: Floats, energy: Floats) -> Floats:
    """Gain of templates at their best allowed strength; negative if they do not occur."""
    strength = np.clip(correlation / np.maximum(energy, 1e-9), WEAKEST, STRONGEST)
    return strength * (2 * correlation - strength * energy)


def _by_gain(match: Match) -> float:
    return match.gain
