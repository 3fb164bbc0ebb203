"""Decoding of pictures to 8-bit squares: EXIF rotation, transparency, scaling and cropping."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from hypersd.training.sources.picture_source import PictureFile

_WHITE = (255, 255, 255, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSize:
    """Size in pixels of a picture after EXIF rotation."""

    height: int
    width: int

    def scaled(self, side: int) -> tuple[int, int]:
        """Width and height when the smaller side has `side` pixels."""
        factor = side / min(self.height, self.width)
        return max(side, round(self.width * factor)), max(side, round(self.height * factor))

    def conditioning(self, side: int) -> tuple[int, int, int, int]:
        """Original height and width, and top and left of the central square of `side` pixels once it is scaled."""
        width, height = self.scaled(side)
        return self.height, self.width, (height - side) // 2, (width - side) // 2


def decode(picture: PictureFile) -> Image.Image:
    """A picture in RGB; an animation's first frame.

    Raises:
        ValueError: it is damaged, not a picture, or too large for Pillow.
        OSError: its file cannot be read.
    """
    content = picture if isinstance(picture, bytes) else picture.read_bytes()
    try:
        with Image.open(BytesIO(content)) as opened:
            opened.load()
            return _rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as error:
        raise ValueError("no picture of a known format" if content else "its file is empty") from error
    except Image.DecompressionBombError as error:
        raise ValueError("a picture of too many pixels for Pillow") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError("a damaged picture") from error


def square(picture: Image.Image, side: int) -> NDArray[np.uint8]:
    """The central square of a picture whose smaller side is scaled to `side` pixels: `(side, side, 3)`."""
    size = PictureSize(height=picture.height, width=picture.width)
    *_, top, left = size.conditioning(side)
    scaled = picture.resize(size.scaled(side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(scaled.crop((left, top, left + side, top + side)))


def _rgb(picture: Image.Image) -> Image.Image:
    """A picture of any mode in RGB; transparent parts become white."""
    if picture.mode.startswith(("I", "F")):  # 16 bits: `convert` would clip values above 255
        values = np.asarray(picture).astype(np.float64)
        top = 65535 if values.max(initial=0) > 255 else 255
        picture = Image.fromarray((values.clip(0, top) * (255 / top)).round().astype(np.uint8))
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, _WHITE), layered).convert("RGB")
    return picture.convert("RGB")
