"""A gallery: figures as small pictures for the web, and a page that shows them with their captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from hypersd.utils.files import atomic_path, write_text

PAGE = "gallery.md"
_WIDTH = 1100
"""Largest width of a picture in pixels."""

_QUALITY = 80


def write_gallery(title: str, figures: Sequence[Path], folder: Path, command: str) -> list[Path]:
    """Write the pictures of figures as WebP, and a Markdown page of them; returns the files.

    Args:
        title: of the page.
        figures: files of `write_sheet`; a caption without a picture is shown alone.
        folder: where the files go.
        command: that makes the gallery.

    Raises:
        OSError: a figure cannot be read, or the folder not be written.
    """
    lines = [f"# {title}", "", f"Made by `{command}`.", ""]
    files: list[Path] = []
    for caption in sorted((file for file in figures if file.suffix == ".md"), key=_number):
        heading, *sentences = caption.read_text(encoding="utf-8").splitlines()
        lines += [f"## {heading}", ""]
        picture = caption.with_suffix(".png")
        if picture in figures:
            files.append(_small(picture, folder))
            lines += [f"![{heading}]({files[-1].name})", ""]
        lines += [" ".join(sentence for sentence in sentences if not sentence.startswith("Made by")), ""]
    write_text(folder / PAGE, "\n".join(lines))
    return [*files, folder / PAGE]


def _number(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def _small(picture: Path, folder: Path) -> Path:
    file = folder / f"{picture.stem}.webp"
    with Image.open(picture) as opened, atomic_path(file) as part:
        sheet = opened.convert("RGB")
        sheet.thumbnail((_WIDTH, sheet.height))
        sheet.save(part, "webp", quality=_QUALITY, method=6)
    return file
