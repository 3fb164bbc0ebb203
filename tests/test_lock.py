"""requirements-lock.txt is a choice of releases within the ranges of requirements.txt."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\]+))?", re.MULTILINE)


def locked(root: Path) -> dict[str, list[Version]]:
    """The releases of each library; several where platforms or Pythons differ."""
    releases: dict[str, list[Version]] = {}
    for entry in ENTRY.finditer((root / "requirements-lock.txt").read_text()):
        releases.setdefault(canonicalize_name(entry["name"]), []).append(Version(entry["version"]))
    return releases


def required(root: Path) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (root / "requirements.txt").read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def test_the_lock_names_every_requirement_within_its_range(root: Path) -> None:
    releases = locked(root)
    for requirement in required(root):
        versions = releases.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is missing: run the command in the head of requirements-lock.txt again"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_every_locked_file_has_its_hash(root: Path) -> None:
    text = (root / "requirements-lock.txt").read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(list(ENTRY.finditer(text)))
    assert not [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]


def test_the_lock_says_how_it_was_made(root: Path) -> None:
    head = (root / "requirements-lock.txt").read_text().splitlines()[1]
    command = head.removeprefix("#").strip()
    assert command == (
        "uv pip compile --universal --python-version 3.11 --generate-hashes requirements.txt -o requirements-lock.txt"
    )
    assert command in (root / "docs" / "deploying.md").read_text()
