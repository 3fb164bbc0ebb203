"""Reader of prompt files, for the shipped sets and for users' own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypersd.utils.file_kinds import read_text

PROMPT_FILE = "a text file in UTF-8 with one prompt a line; empty lines and lines that begin with # are ignored"
"""Description of the format for a command's help."""


def read_prompt_file(file: Path, check: Callable[[str], object] | None = None) -> list[str]:
    """The prompts in a text file, one per line, in order; duplicates are kept.

    Empty lines, comments (lines that begin with `#`), byte order marks, spaces at the ends of lines and all kinds of
    line endings are ignored.

    Args:
        file: a text file in UTF-8.
        check: raises a `ValueError` for an unusable prompt.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not UTF-8 text, has no prompts, or has an unusable prompt; the message says which.
    """
    lines = (line.strip() for line in read_text(file).replace("\ufeff", "").split("\n"))
    prompts = [line for line in lines if line and not line.startswith("#")]
    if not prompts:
        raise ValueError(f"{file}: it contains no prompts; write one per line")
    for number, prompt in enumerate(prompts, start=1):
        try:
            if check:
                check(prompt)
        except ValueError as error:
            raise ValueError(f"{file}, prompt {number}: {error}") from error
    return prompts
