"""docs/settings.md names each environment variable that the code reads, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

OURS = re.compile(r"(?:HYPERSD|SPACE|OAUTH)_[A-Z_]+|DATABASE_URL|HF_HUB_OFFLINE")


def test_the_document_names_what_is_read_and_nothing_else(root: Path) -> None:
    read: set[str] = set()
    for file in [root / "app.py", *(root / "app").rglob("*.py"), *(root / "hypersd").rglob("*.py")]:
        constants = (node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
        read |= {text for text in constants if isinstance(text, str) and OURS.fullmatch(text)}
    documented = set(OURS.findall((root / "docs" / "settings.md").read_text()))
    assert "HYPERSD_DATA" in read
    assert documented == read
