"""Files of a Hugging Face Space: what the page needs of a checkout, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FOLDERS = ("app", "hypersd", "assets")
_FILES = ("app.py", "requirements.txt", "README.md", "LICENSE", "NOTICE")
_PROVIDED = frozenset({"gradio", "huggingface-hub", "spaces"})
"""Packages that a Space brings itself, at the version of the README's front matter; it refuses others of them."""


@dataclass(frozen=True, slots=True)
class SpaceFile:
    """A file of a Space: its path there, and its content, or where that lies on this machine."""

    path: str
    content: Path | bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


def space_files(checkout: Path, preload: Sequence[str] = ()) -> tuple[SpaceFile, ...]:
    """List the files that a Space needs, by path.

    The requirements are without what a Space brings itself. Hidden files and caches stay here: a `.env` may hold a
    secret.

    Args:
        checkout: of this project.
        preload: files on the Hub for the Space's image, each line a repository and its files ("OWNER/NAME a,b").

    Raises:
        FileNotFoundError: the folder is no checkout of this project.
    """
    missing = [name for name in (*_FILES, *_FOLDERS) if not (checkout / name).exists()]
    if missing:
        raise FileNotFoundError(f"{checkout} has no {missing[0]}: a Space is deployed from a checkout of this project")
    requirements = space_requirements((checkout / "requirements.txt").read_text(encoding="utf-8"))
    files = {path: SpaceFile(path, checkout / path) for path in _paths(checkout)}
    files["requirements.txt"] = SpaceFile("requirements.txt", requirements.encode())
    if preload:
        card = (checkout / "README.md").read_text(encoding="utf-8")
        files["README.md"] = SpaceFile("README.md", space_card(card, preload).encode())
    return tuple(files[path] for path in sorted(files))


def space_card(text: str, preload: Sequence[str]) -> str:
    """A Space's README with files to preload in its front matter."""
    start, matter, rest = text.split("---\n", 2)
    lines = "".join(f"  - {line}\n" for line in preload)
    return f"{start}---\n{matter}preload_from_hub:\n{lines}---\n{rest}"


def space_requirements(text: str) -> str:
    """A requirements file without the packages that a Space brings itself."""
    return "".join(line for line in text.splitlines(keepends=True) if _package(line) not in _PROVIDED)


def _package(line: str) -> str:
    """The name that a line of requirements asks for; empty for a comment."""
    name = re.match(r"[A-Za-z0-9._-]+", line)
    return re.sub(r"[._-]+", "-", name[0]).lower() if name else ""


def _paths(checkout: Path) -> Iterator[str]:
    """Paths in the checkout, in the manner of the Hub."""
    yield from _FILES
    yield from _linked(checkout)
    for folder in _FOLDERS:
        for file in (checkout / folder).rglob("*"):
            path = file.relative_to(checkout)
            if file.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.parts):
                yield path.as_posix()


def _linked(checkout: Path) -> Iterator[str]:
    """Files that the README, which is the Space's card, shows or links to."""
    for target in re.findall(r"\]\(([^)#:]+)\)", (checkout / "README.md").read_text(encoding="utf-8")):
        if (checkout / target).is_file():
            yield str(target)
