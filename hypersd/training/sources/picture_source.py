"""Captioned pictures as they lie somewhere, before any is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

PictureFile = Path | bytes
"""A picture that is not decoded yet: a file, or what would be in it."""

CAPTION_COLUMNS = ("text", "caption", "captions", "prompt", "description")
"""Names that captions go by, the likeliest first."""

FILTER = "filter.json"
"""Record that a filter leaves beside the list of pictures that it kept."""

PICTURE_ENDINGS = frozenset({"png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "avif"})


class PictureSource(Protocol):
    """Captioned pictures, numbered from 0; some may be damaged, or miss their picture or their caption."""

    @property
    def fingerprint(self) -> str:
        """A hash that changes when a picture or a caption does: names, sizes and times of the files stand for them."""
        ...

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Name of an example, for a person who looks for it."""
        ...

    def picture(self, index: int) -> PictureFile:
        """The picture of an example.

        Raises:
            ValueError: it has none.
            OSError: it cannot be read.
        """
        ...

    def captions(self, index: int) -> list[str]:
        """The captions of an example, as they are.

        Raises:
            ValueError: it has none, or its caption is no text.
            OSError: it cannot be read.
        """
        ...


def caption_column(columns: Sequence[str], wanted: str | None, where: str) -> str:
    """The column of a table that has the captions.

    Args:
        columns: of the table.
        wanted: the user's choice; None for the likeliest.
        where: name of the table, for complaints.

    Raises:
        ValueError: there is none.
    """
    names = CAPTION_COLUMNS if wanted is None else (wanted,)
    for name in names:
        if name in columns:
            return name
    raise ValueError(
        f"{where} has no column {' or '.join(names)} for captions; it has {', '.join(sorted(columns)) or 'none'}; "
        "name the right one with --caption-column"
    )


def caption_texts(value: Any) -> list[str]:
    """The captions in a value of a table or a JSON file: a text, or several.

    Raises:
        ValueError: it is neither.
    """
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("no caption" if value is None else "its caption is no text")
    if not (captions := [text.strip() for text in texts if text.strip()]):
        raise ValueError("no caption")
    return captions


def caption_in(values: Mapping[str, Any], column: str | None) -> list[str]:
    """The captions in a JSON object, under the user's key or the likeliest one.

    Raises:
        ValueError: there are none.
    """
    names = CAPTION_COLUMNS if column is None else (column,)
    return caption_texts(next((values[name] for name in names if values.get(name) is not None), None))


def plain_text(content: bytes) -> str:
    """A text file's content, in UTF-8 with or without a byte order mark.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("its caption is not in UTF-8") from error
