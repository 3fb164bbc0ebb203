"""The embedded family's world: sprites on plain backgrounds, and their names.

A `World` is data (`assets/emoji-xl/world.json`): the objects, the backgrounds, the sizes of objects, and the pairs of
object and background that are held out from training. A `Scene` describes one picture exactly, so that it can be
rendered, captioned, and detected in a generated picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hypersd.utils.readers import read_json, read_picture

Pixels = NDArray[np.uint8]
Range = tuple[float, float]

_STYLES = "styles"
"""Folder of other artists' sprites of the same objects, a folder for each style."""

_SPREAD = 0.14
"""Largest distance of an object from the middle of its field, as a fraction of the side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One object in a scene. `x`, `y` (its centre) and `size` (its side) are fractions of the picture's side."""

    name: str
    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One or two objects, from left to right, on a background; `size` is `"small"`, `"big"` or `"pair"`."""

    objects: tuple[Placed, ...]
    background: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _WorldFile:
    """`world.json`: sprite files by name, colours by name, size ranges by name, and held-out pairs."""

    objects: dict[str, str]
    backgrounds: dict[str, tuple[int, int, int]]
    sizes: dict[str, Range]
    held_out: list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class World:
    """World of sprites: objects and backgrounds with their names, and the combinations held out for evaluation."""

    folder: Path
    objects: dict[str, str]
    backgrounds: dict[str, tuple[int, int, int]]
    sizes: dict[str, Range]
    held_out: frozenset[tuple[str, str]] = field(repr=False)

    @classmethod
    def load(cls, folder: Path | str) -> World:
        """Read `world.json` in `folder`.

        Raises:
            FileNotFoundError: there is no `world.json` there, or a sprite is missing.
            ValueError: the file is not a world (a key is missing, or a held-out pair names something unknown), or a
                sprite is not a picture.
        """
        folder = Path(folder)
        file = folder / "world.json"
        described: _WorldFile = read_json(file, _WorldFile, "a world")
        world = cls(
            folder=folder,
            objects=described.objects,
            backgrounds=described.backgrounds,
            sizes=described.sizes,
            held_out=frozenset(described.held_out),
        )
        if unknown := {pair for pair in world.held_out if not world.has(*pair)}:
            raise ValueError(f"{file} holds out pairs it does not define: {sorted(unknown)}")
        if missing := {"small", "big", "pair"} - world.sizes.keys():
            raise ValueError(f"{file} is not a world: it has no size {min(missing)!r}")
        if not world.objects or not world.backgrounds:
            raise ValueError(f"{file} is not a world: it has no objects, or no backgrounds")
        world.check_sprites()
        return world

    def has(self, thing: str, ground: str) -> bool:
        """True if both the object and the background exist."""
        return thing in self.objects and ground in self.backgrounds

    @property
    def styles(self) -> tuple[str, ...]:
        """The names of the styles of which the world has other sprites, sorted."""
        folder = self.folder / _STYLES
        return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir())) if folder.is_dir() else ()

    def in_style(self, name: str) -> World:
        """The same world with the sprites of a style, `styles/NAME/` followed by the sprite's usual path.

        Raises:
            FileNotFoundError: a sprite is missing.
            ValueError: a sprite is not a picture.
        """
        styled = replace(self, objects={key: f"{_STYLES}/{name}/{file}" for key, file in self.objects.items()})
        styled.check_sprites()
        return styled

    def check_sprites(self) -> None:
        """Read every sprite.

        Raises:
            FileNotFoundError: one is missing.
            ValueError: one is not a picture.
        """
        for sprite in self.objects.values():
            _opened_sprite(self.folder / sprite, _changed(self.folder / sprite))

    def sprite(self, name: str, pixels: int) -> NDArray[np.float32]:
        """The object's sprite at `pixels` × `pixels`, RGBA in [0, 1] with colours multiplied by alpha.

        Raises:
            KeyError: the world has no such object.
        """
        return _scaled_sprite(self.folder / self.objects[name], pixels)


@lru_cache(maxsize=16384)
def _scaled_sprite(file: Path, pixels: int) -> NDArray[np.float32]:
    rgba = np.asarray(_opened_sprite(file, _changed(file)), dtype=np.float32) / 255
    premultiplied = np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=-1)
    # Pillow resizes float images one band at a time; premultiplied alpha avoids dark edges.
    bands = [
        np.asarray(Image.fromarray(premultiplied[..., band]).resize((pixels, pixels), Image.Resampling.LANCZOS))
        for band in range(4)
    ]
    scaled = np.clip(np.stack(bands, axis=-1), 0, 1)
    # Lanczos overshoots: a colour above its alpha would be brighter than white, and overflow to black in 8 bits.
    np.minimum(scaled[..., :3], scaled[..., 3:], out=scaled[..., :3])
    return scaled


def _changed(file: Path) -> int:
    """Time of a file's last change, in nanoseconds; 0 if it is missing."""
    return file.stat().st_mtime_ns if file.exists() else 0


@lru_cache(maxsize=512)
def _opened_sprite(file: Path, _changed: int) -> Image.Image:
    return read_picture(file).convert("RGBA")


def box(placed: Placed, side: int) -> tuple[int, int, int]:
    """Left, top and side in pixels of an object in a picture of `side` pixels; always inside the picture."""
    pixels = round(placed.size * side)
    left = min(max(round(placed.x * side - pixels / 2), 0), side - pixels)
    top = min(max(round(placed.y * side - pixels / 2), 0), side - pixels)
    return left, top, pixels


def render(world: World, scene: Scene, side: int = 128) -> Pixels:
    """Render a scene: `(side, side, 3)`, 8 bits per channel.

    Raises:
        KeyError: the scene names an object or a background that the world does not have.
    """
    canvas = np.empty((side, side, 3), dtype=np.float32)
    canvas[:] = np.asarray(world.backgrounds[scene.background], dtype=np.float32) / 255
    for placed in scene.objects:
        left, top, pixels = box(placed, side)
        sprite = world.sprite(placed.name, pixels)
        field_of_view = canvas[top : top + pixels, left : left + pixels]
        field_of_view *= 1 - sprite[..., 3:]
        field_of_view += sprite[..., :3]
    return (canvas * 255 + 0.5).astype(np.uint8)


def place(world: World, names: tuple[str, ...], background: str, size: str, rng: np.random.Generator) -> Scene:
    """A scene with these objects, each near the middle of its field (the whole picture, or half of it)."""
    low, high = world.sizes[size]
    objects = []
    for index, name in enumerate(names):
        fraction = float(rng.uniform(low, high))
        width = 1 / len(names)
        reach_x = min(_SPREAD, max(0.0, (width - fraction) / 2))
        reach_y = min(_SPREAD, (1 - fraction) / 2)
        objects.append(
            Placed(
                name=name,
                x=float((index + 0.5) * width + rng.uniform(-reach_x, reach_x)),
                y=float(0.5 + rng.uniform(-reach_y, reach_y)),
                size=fraction,
            )
        )
    return Scene(objects=tuple(objects), background=background, size=size)


def sample_scene(world: World, rng: np.random.Generator, *, held_out: bool = False) -> Scene:
    """Draw a random scene; half of them show a pair.

    With `held_out` false, no object is on a background from which it is held out; with `held_out` true, the (first)
    object always is.
    """
    names = list(world.objects)
    grounds = list(world.backgrounds)
    size = ("small", "big", "pair", "pair")[rng.integers(4)]
    if held_out:
        pairs = sorted(world.held_out)
        first, ground = pairs[rng.integers(len(pairs))]
        chosen = [first]
    else:
        ground = grounds[rng.integers(len(grounds))]
        chosen = []
    allowed = [name for name in names if (name, ground) not in world.held_out and name not in chosen]
    missing = (2 if size == "pair" else 1) - len(chosen)
    chosen += [allowed[index] for index in rng.choice(len(allowed), size=missing, replace=False)]
    return place(world, tuple(chosen), ground, size, rng)
