"""Files of prompts: the one reader of them, for the sets that are shipped and for anybody's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypersd.utils.file_kinds import read_text

PROMPT_FILE = "a text file in UTF-8 with one prompt a line; empty lines and lines that begin with # do not count"
"""The format, in the words of a command's help."""


def read_prompt_file(file: Path, check: Callable[[str], object] | None = None) -> list[str]:
    """The prompts in a text file, one a line, in order; what is written twice counts twice.

    Empty lines and comments (lines that begin with `#`) do not count, nor do byte order marks, spaces at the ends of
    lines and the ends of lines themselves, whatever system wrote them.

    Args:
        file: a text file in UTF-8.
        check: raises a `ValueError` for a prompt that cannot be used.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not UTF-8 text, or there is no prompt in it, or one cannot be used; the message says which.
    """
    lines = (line.strip() for line in read_text(file).replace("\ufeff", "").split("\n"))
    prompts = [line for line in lines if line and not line.startswith("#")]
    if not prompts:
        raise ValueError(f"{file}: no prompts in it; write one a line")
    for number, prompt in enumerate(prompts, start=1):
        try:
            if check:
                check(prompt)
        except ValueError as error:
            raise ValueError(f"{file}, prompt {number}: {error}") from error
    return prompts
