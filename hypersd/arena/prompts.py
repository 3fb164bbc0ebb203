"""Files of prompts: the one reader of them, for the sets that are shipped and for anybody's own."""

from __future__ import annotations

from pathlib import Path

PROMPT_FILE = "a text file in UTF-8 with one prompt a line; empty lines and lines that begin with # do not count"
"""The format, in the words of a command's help."""


def read_prompt_file(file: Path) -> list[str]:
    """The prompts in a text file, one a line, in order; what is written twice counts twice.

    Empty lines and comments (lines that begin with `#`) do not count, nor do byte order marks, spaces at the ends of
    lines and the ends of lines themselves, whatever system wrote them.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not UTF-8 text, or there is no prompt in it.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not a text file in UTF-8; save it as one") from error
    lines = (line.strip() for line in text.replace("\ufeff", "").split("\n"))
    prompts = [line for line in lines if line and not line.startswith("#")]
    if not prompts:
        raise ValueError(f"{file}: no prompts in it; write one a line")
    return prompts
