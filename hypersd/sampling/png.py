"""PNG files with the parameters of the picture as metadata, written atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, PngImagePlugin

from hypersd.utils.files import atomic_path


def write_png(file: Path, image: Image.Image, texts: Mapping[str, str]) -> None:
    """Write a picture with text metadata (tEXt; iTXt for text that is not Latin-1).

    Raises:
        OSError: it cannot be written.
    """
    with atomic_path(file) as part:
        image.save(part, "PNG", pnginfo=png_info(texts))


def png_info(texts: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """Text metadata for a PNG."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    return info


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """The picture scaled so that its longer side has `side` pixels."""
    scale = side / max(picture.size)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
