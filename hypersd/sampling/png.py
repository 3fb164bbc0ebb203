"""Pictures as PNG files that say how they were made, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, PngImagePlugin


def write_png(file: Path, image: Image.Image, texts: Mapping[str, str]) -> None:
    """Write a picture with texts in it (tEXt; iTXt where one is not Latin-1).

    Raises:
        OSError: it cannot be written.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        image.save(part, "PNG", pnginfo=png_info(texts))
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def png_info(texts: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """Texts for a PNG."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    return info
