"""docs/security.md names a test for each threat, and each test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "docs" / "security.md").read_text()


def test_each_named_test_exists(root: Path, text: str) -> None:
    named = NAMED.findall(text)
    assert len(named) > 40
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (root / file).is_file()
        or name not in {node.name for node in ast.walk(ast.parse((root / file).read_text())) if hasattr(node, "name")}
    ]
    assert not missing


def test_each_threat_has_a_test(text: str) -> None:
    section = text[text.index("## Threats") : text.index("## Dependencies")]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert len(rows) > 15
    assert not [row for row in rows if not NAMED.search(row)]
