"""Pictures by the hash of their bytes, in a folder or a bucket, and the one sheet in which a battle is shown."""

from __future__ import annotations

import io
import secrets
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import fsspec
from PIL import Image


def encode(picture: Image.Image, *, quality: int = 60, method: int = 2) -> bytes:
    """The picture's bytes, lossless, without any metadata: two equal pictures have equal bytes.

    `quality` (0 to 100) and `method` (0 to 6) are the effort of making them few.
    """
    plain = Image.frombytes("RGB", picture.size, picture.convert("RGB").tobytes())
    file = io.BytesIO()
    plain.save(file, "WEBP", lossless=True, quality=quality, method=method)
    return file.getvalue()


def same_pixels(value: Image.Image, other: Image.Image) -> bool:
    """True if two pictures look the same, whatever files they are from."""
    return value.size == other.size and value.convert("RGB").tobytes() == other.convert("RGB").tobytes()


def side_by_side(left: Image.Image, right: Image.Image) -> bytes:
    """Both pictures of a battle in one file, side by side and of one size.

    One file has one name, one length, one moment of arrival: nothing about it tells the sides apart. The smaller
    picture is scaled up, so that a model's own size shows no more.
    """
    size = width, height = max(left.width, right.width), max(left.height, right.height)
    both = Image.new("RGB", (2 * width, height))
    for index, picture in enumerate((left, right)):
        fitted = picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
        both.paste(fitted, (index * width, 0))
    return encode(both, quality=0, method=0)  # a visitor waits for it: a tenth of the time, for a quarter more bytes


class DamagedImage(OSError):  # noqa: N818 - as FileNotFoundError is
    """A picture whose bytes have changed."""


@dataclass(frozen=True)
class ImageStore:
    """A content-addressed folder; `root` is a path or any URL that fsspec knows."""

    root: str

    def put(self, picture: Image.Image) -> str:
        """Keep a picture; returns its name, the SHA-256 of its bytes.

        Raises:
            OSError: it cannot be written (the disk is full, the bucket is away).
        """
        data = encode(picture)
        name = sha256(data).hexdigest()
        self._write(name, data)
        return name

    def keep(self, name: str, data: bytes) -> None:
        """Keep a picture that was encoded elsewhere, byte for byte: another release of an encoder writes other bytes.

        Raises:
            ValueError: it is no picture, or its name is not the hash of its bytes.
            OSError: it cannot be written.
        """
        if sha256(data).hexdigest() != name:
            raise ValueError(f"the picture {name[:80]} is not what its name says")
        try:
            Image.open(io.BytesIO(data)).load()
        except Exception as error:  # whatever a decoder makes of it
            raise ValueError(f"the picture {name} cannot be opened") from error
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        with suppress(OSError):  # it is not there, or is damaged: then it is written anew
            self.get(name)
            return
        system, path = self._at(name)
        part = f"{path}.{secrets.token_hex(8)}.part"
        try:
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
            system.pipe_file(part, data)
            system.mv(part, path)  # it appears under its name only when it is whole
        except BaseException:
            with suppress(Exception):
                system.rm_file(part)
            raise

    def get(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises:
            FileNotFoundError: there is none of this name.
            DamagedImage: its bytes are not those of its name.
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

    def _at(self, name: str) -> tuple[Any, str]:
        system, path = fsspec.core.url_to_fs(f"{self.root}/{name[:2]}/{name}.webp")
        return system, path
