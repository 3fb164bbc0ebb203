"""Content-addressed store of pictures, in a folder or a bucket, and the side-by-side image of a battle."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import fsspec
from PIL import Image, ImageOps

_MARGIN = (128, 128, 128)
"""Colour beside pictures that are not square, on light and dark pages."""

_DIGEST = 32
"""Bytes of a SHA-256."""


def encode(picture: Image.Image, *, quality: int = 60, method: int = 2) -> bytes:
    """The picture as lossless WebP without metadata, so that equal pictures have equal bytes.

    `quality` (0 to 100) and `method` (0 to 6) set the compression effort.
    """
    plain = Image.frombytes("RGB", picture.size, picture.convert("RGB").tobytes())
    file = io.BytesIO()
    plain.save(file, "WEBP", lossless=True, quality=quality, method=method)
    return file.getvalue()


def same_pixels(value: Image.Image, other: Image.Image) -> bool:
    """True if two pictures have equal pixels, even if their files differ."""
    return value.size == other.size and value.convert("RGB").tobytes() == other.convert("RGB").tobytes()


def side_by_side(left: Image.Image, right: Image.Image) -> bytes:
    """Both pictures of a battle in one file, side by side and of one size.

    One file has one name, one size and one arrival time, so that nothing reveals the models. The smaller picture is
    scaled up to hide a model's native size. Pictures that are not square, or differ in shape, are not distorted: each
    is in the middle of a square.
    """
    side = max(*left.size, *right.size)
    both = Image.new("RGB", (2 * side, side), _MARGIN)
    for index, picture in enumerate((left, right)):
        fitted = ImageOps.contain(picture, (side, side), Image.Resampling.LANCZOS)
        both.paste(fitted, (index * side + (side - fitted.width) // 2, (side - fitted.height) // 2))
    return encode(both, quality=0, method=0)  # a visitor waits: a tenth of the time, a quarter more bytes


class DamagedImage(OSError):  # noqa: N818 - named like FileNotFoundError
    """A picture whose bytes do not match its hash."""


class IdenticalImages(Exception):  # noqa: N818 - not an error
    """Two pictures with equal pixels."""


@dataclass(frozen=True)
class ImageStore:
    """A content-addressed folder; `root` is a path or any URL that fsspec supports."""

    root: str

    def put(self, picture: Image.Image) -> str:
        """Store a picture; return its name, the SHA-256 of its bytes.

        Raises:
            OSError: it cannot be written (the disk is full, the bucket is unreachable).
        """
        data = encode(picture)
        name = sha256(data).hexdigest()
        self._write(name, data)
        return name

    def keep(self, name: str, data: bytes) -> None:
        """Store an encoded picture byte for byte: re-encoding with another release could change the bytes.

        Raises:
            ValueError: it is not a picture, or its name is not the hash of its bytes.
            OSError: it cannot be written.
        """
        if sha256(data).hexdigest() != name:
            raise ValueError(f"the content of the picture {name[:80]} does not match its name")
        try:
            Image.open(io.BytesIO(data)).load()
        except Exception as error:  # decoders raise many kinds of errors
            raise ValueError(f"the picture {name} cannot be opened") from error
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        with suppress(OSError):  # missing or damaged: write it again
            self.get(name)
            return
        _write_whole(*self._at(name), data)

    def get(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises:
            FileNotFoundError: there is no picture of this name.
            DamagedImage: its bytes do not match its name.
            OSError: it cannot be read.
        """
        system, path = self._at(name)
        data: bytes = system.cat_file(path)
        if sha256(data).hexdigest() != name:
            raise DamagedImage(f"the picture {name} is damaged")
        return data

    def open(self, name: str) -> Image.Image:
        """A picture, decoded.

        Raises:
            OSError: as `get`.
        """
        return Image.open(io.BytesIO(self.get(name))).convert("RGB")

    def prepare_sheets(self, first: str, second: str) -> None:
        """Store the side-by-side images of two pictures in both orders, for `sheet`, before a visitor waits for one.

        Raises:
            IdenticalImages: the pictures have equal pixels.
            OSError: a picture cannot be read, or the images cannot be written.
        """
        for left, right in ((first, second), (second, first)):
            data = self._compose(left, right)
            _write_whole(*self._at_sheet(left, right), sha256(data).digest() + data)

    def sheet(self, left: str, right: str) -> bytes:
        """The side-by-side image of a battle: the prepared one, or a new one.

        Raises:
            IdenticalImages: the pictures have equal pixels.
            OSError: as `get`.
        """
        system, path = self._at_sheet(left, right)
        try:
            data: bytes = system.cat_file(path)
        except OSError:
            return self._compose(left, right)
        digest, data = data[:_DIGEST], data[_DIGEST:]
        return data if sha256(data).digest() == digest else self._compose(left, right)

    def remove_sheets(self, kept: Iterable[tuple[str, str]]) -> None:
        """Remove the prepared images of all pairs of pictures but these: most pairs are shown only once.

        Raises:
            OSError: they cannot be listed or removed.
        """
        system, folder = self._at_sheets()
        keep = {f"{left}-{right}" for pair in kept for left, right in (pair, pair[::-1])}
        files: list[str] = system.ls(folder, detail=False) if system.exists(folder) else []
        for file in files:
            if file.rpartition("/")[2] not in keep:
                system.rm_file(file)

    def _compose(self, left: str, right: str) -> bytes:
        pictures = self.open(left), self.open(right)
        if same_pixels(*pictures):
            raise IdenticalImages
        return side_by_side(*pictures)

    @cached_property
    def _location(self) -> tuple[Any, str]:
        """The file system and the path there; parsing a URL takes longer than reading a small file."""
        system, path = fsspec.core.url_to_fs(self.root)
        return system, path

    def _at(self, name: str) -> tuple[Any, str]:
        system, root = self._location
        return system, f"{root}/{name[:2]}/{name}.webp"

    def _at_sheets(self) -> tuple[Any, str]:
        system, root = self._location
        return system, f"{root}/sheets"

    def _at_sheet(self, left: str, right: str) -> tuple[Any, str]:
        system, folder = self._at_sheets()
        return system, f"{folder}/{left}-{right}"


def _write_whole(system: Any, path: str, data: bytes) -> None:
    """Write a file that readers see only when it is complete."""
    part = f"{path}.{secrets.token_hex(8)}.part"
    try:
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(part, data)
        system.mv(part, path)
    except BaseException:
        with suppress(Exception):
            system.rm_file(part)
        raise
