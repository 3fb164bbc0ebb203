"""The documents of the repository: their blocks of code, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md", "assets/emoji-xl/README.md"),
    *(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md"))),
)
"""Files whose links lead somewhere, and whose commands and examples are run."""

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A block of code: its language, its first line's number, and its text."""

    language: str
    line: int
    text: str


def code_blocks(text: str) -> list[CodeBlock]:
    """The blocks of code of a document."""
    return [
        CodeBlock(fence["language"], text.count("\n", 0, fence.start()) + 2, fence["text"])
        for fence in _FENCE.finditer(text)
    ]


def shell_commands(document: str) -> list[tuple[str, ...]]:
    """The words of each command in a document's blocks of bash, without comments."""
    blocks = code_blocks((ROOT / document).read_text(encoding="utf-8"))
    lines = "".join(block.text.replace("\\\n", " ") for block in blocks if block.language == "bash").splitlines()
    return [words for line in lines if (words := tuple(shlex.split(line, comments=True)))]
