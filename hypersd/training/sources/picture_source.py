"""Interface of sources of captioned pictures, before decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

PictureFile = Path | bytes
"""An undecoded picture: a file, or its content."""

CAPTION_COLUMNS = ("text", "caption", "captions", "prompt", "description")
"""Usual names of the column of captions, the most likely first."""

FILTER = "filter.json"
"""Record of a filter, next to its list of kept pictures."""

PICTURE_ENDINGS = frozenset({"png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "avif"})


class PictureSource(Protocol):
    """Captioned pictures, numbered from 0; some may be damaged, or lack their picture or caption."""

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the pictures and captions, computed from names, sizes and times of files."""
        ...

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Readable name of an example."""
        ...

    def picture(self, index: int) -> PictureFile:
        """The picture of an example.

        Raises:
            ValueError: it has none.
            OSError: it cannot be read.
        """
        ...

    def captions(self, index: int) -> list[str]:
        """The captions of an example, unchanged.

        Raises:
            ValueError: it has none, or its caption is not a string.
            OSError: it cannot be read.
        """
        ...


def caption_column(columns: Sequence[str], wanted: str | None, where: str) -> str:
    """The column of a table that has the captions.

    Args:
        columns: of the table.
        wanted: the user's choice; None for the most likely one.
        where: name of the table, for errors.

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
    """The captions in a JSON object, under the user's key or the most likely one.

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
