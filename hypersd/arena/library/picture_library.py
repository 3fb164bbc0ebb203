"""A folder of pictures for an arena: `arena.json` lists them, `library/` holds their files."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from itertools import combinations
from pathlib import Path

from PIL import Image, ImageOps
from pydantic import TypeAdapter, ValidationError

from hypersd.arena.votes.battle import Contestant
from hypersd.arena.votes.images import ImageStore
from hypersd.utils.file_kinds import misread
from hypersd.utils.files import write_json

CATALOGUE = "arena.json"
UNKNOWN_SEED = -1

_FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SMALLEST, _LARGEST = 16, 4096
"""Pixels of a picture's sides: a spoiled copy needs tiles, and a page shows pictures at once."""

_KIND = "the list of an arena's pictures"

PromptSeed = tuple[str, int]
"""A scene: pictures of one prompt and seed are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPicture:
    """A picture of the library.

    Args:
        model: of the generator.
        steps: of the generator; 0 if unknown.
        seed: `UNKNOWN_SEED` if unknown.
        file: SHA-256 of the file's bytes, its name in the library.
        pixels: SHA-256 of the pixels, so that equal pictures are never a pair.
    """

    prompt: str
    model: str
    steps: int = 0
    seed: int = UNKNOWN_SEED
    file: str
    pixels: str

    @property
    def scene(self) -> PromptSeed:
        """The prompt and the seed."""
        return self.prompt, self.seed

    @property
    def place(self) -> tuple[str, int, str, int]:
        """The prompt, the seed, the model and its steps, of which a library has one picture."""
        return self.prompt, self.seed, self.model, self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class _Catalogue:
    """Content of `arena.json`."""

    format: int
    name: str
    pictures: tuple[LibraryPicture, ...]


@dataclass(frozen=True)
class PictureLibrary:
    """The pictures of an arena, which never change; new ones can be added.

    Args:
        folder: the arena's folder.
        name: of the arena, and of its contestants' family.
        pictures: in the order of their list.
    """

    folder: Path
    name: str
    pictures: tuple[LibraryPicture, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> PictureLibrary | None:
        """The library of a folder; None if the folder has none.

        Raises:
            OSError: it cannot be read.
            ValueError: its list is damaged.
        """
        file = folder / CATALOGUE
        if not file.exists():
            return None
        try:
            catalogue = TypeAdapter(_Catalogue).validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise misread(file, _KIND, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if catalogue.format != _FORMAT:
            raise ValueError(f"{file} has the format {catalogue.format}, which a newer release wrote; upgrade this one")
        return cls(folder, catalogue.name, catalogue.pictures)

    def write(self) -> None:
        """Write the list of pictures.

        Raises:
            OSError: it cannot be written.
        """
        write_json(
            self.folder / CATALOGUE,
            {"format": _FORMAT, "name": self.name, "pictures": [asdict(picture) for picture in self.pictures]},
        )

    @property
    def files(self) -> ImageStore:
        """The pictures' files, byte for byte."""
        return ImageStore(str(self.folder / "library"))

    def contestant(self, picture: LibraryPicture) -> Contestant:
        """The contestant of a picture."""
        return Contestant(self.name, picture.model, picture.steps)

    @cached_property
    def contestants(self) -> Sequence[Contestant]:
        """The contestants, in alphabetic order."""
        return sorted({self.contestant(picture) for picture in self.pictures})

    @cached_property
    def scenes(self) -> Mapping[PromptSeed, Mapping[str, LibraryPicture]]:
        """The pictures of each scene by their contestants' labels."""
        scenes: defaultdict[PromptSeed, dict[str, LibraryPicture]] = defaultdict(dict)
        for picture in self.pictures:
            scenes[picture.scene][self.contestant(picture).label] = picture
        return scenes

    @cached_property
    def pairs(self) -> Mapping[tuple[str, str], Sequence[PromptSeed]]:
        """The scenes of each pair of contestants (labels, in their order) whose pictures of the scene differ."""
        pairs: defaultdict[tuple[str, str], list[PromptSeed]] = defaultdict(list)
        order = [contestant.label for contestant in self.contestants]
        for scene, pictures in self.scenes.items():
            for first, second in combinations([label for label in order if label in pictures], 2):
                if pictures[first].pixels != pictures[second].pixels:
                    pairs[first, second].append(scene)
        return pairs

    def open(self, scene: PromptSeed, contestant: Contestant) -> Image.Image:
        """A contestant's picture of a scene.

        Raises:
            KeyError: the library has none.
            OSError: its file is missing or damaged.
        """
        return flattened(Image.open(io.BytesIO(self.files.get(self.scenes[scene][contestant.label].file))))


@dataclass
class WatchedLibrary:
    """A library to which another process may add pictures.

    Args:
        latest: the library as last read.
    """

    latest: PictureLibrary
    _version: int = 0

    def current(self) -> PictureLibrary:
        """The library, read again if its list has changed.

        Raises:
            OSError, ValueError: as `PictureLibrary.read`.
        """
        version = (self.latest.folder / CATALOGUE).stat().st_mtime_ns
        if version != self._version:
            self.latest = PictureLibrary.read(self.latest.folder) or self.latest
            self._version = version
        return self.latest


def check_arena_name(name: str) -> str:
    """The name, if an arena may have it.

    Raises:
        ValueError: it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be an arena's name; use small letters, digits and hyphens, up to 40")
    return name


def read_checked(data: bytes) -> str:
    """Decode a picture's file; return the SHA-256 of its pixels.

    Raises:
        ValueError: it is not a picture that can be shown.
    """
    try:
        picture = flattened(Image.open(io.BytesIO(data)))
    except Exception as error:  # decoders raise many kinds of errors
        raise ValueError("it is not a picture, or is damaged") from error
    if not all(_SMALLEST <= side <= _LARGEST for side in picture.size):
        width, height = picture.size
        raise ValueError(f"it has {width}×{height} pixels; each side must have {_SMALLEST} to {_LARGEST}")
    return sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()


def flattened(picture: Image.Image) -> Image.Image:
    """The picture in RGB as a viewer shows it: turned as its camera says, on white where it is transparent."""
    upright = ImageOps.exif_transpose(picture)
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    layer = upright.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
