"""docs/settings.md names each environment variable that is read, and no other."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

from hypersd.utils.environment import PAGE_SECRETS, Environment

OURS = re.compile(r"(?:HYPERSD|SPACES?|OAUTH)_[A-Z_]+|DATABASE_URL|HF_HUB_OFFLINE|SYSTEM|RAY_ADDRESS")
READ = {setting.metadata["variable"] for setting in fields(Environment)}


def document(root: Path) -> str:
    return (root / "docs" / "settings.md").read_text()


def test_the_document_names_what_is_read_and_nothing_else(root: Path) -> None:
    assert "HYPERSD_DATA" in READ
    assert set(OURS.findall(document(root))) == READ | PAGE_SECRETS


def test_no_other_module_spells_a_variable_s_name(root: Path) -> None:
    for file in [root / "app.py", *(root / "app").rglob("*.py"), *(root / "hypersd").rglob("*.py")]:
        constants = (node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
        spelt = {text for text in constants if isinstance(text, str) and OURS.fullmatch(text)}
        assert spelt == (READ | PAGE_SECRETS if file.name == "environment.py" else set()), file


def test_every_setting_has_a_docstring_that_begins_with_a_noun(root: Path) -> None:
    tree = ast.parse((root / "hypersd" / "utils" / "environment.py").read_text())
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    for number, node in enumerate(body):
        if isinstance(node, ast.AnnAssign):
            following = body[number + 1]
            assert isinstance(following, ast.Expr), ast.unparse(node.target)
            assert isinstance(following.value, ast.Constant), ast.unparse(node.target)


def test_every_variable_that_a_person_sets_has_a_row_of_the_table(root: Path) -> None:
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", document(root), re.MULTILINE))
    set_for_us = {
        "SYSTEM",
        "SPACE_ID",
        "SPACE_HOST",
        "SPACE_AUTHOR_NAME",
        "SPACES_ZERO_GPU",
        "OAUTH_CLIENT_ID",
        "HYPERSD_ROUND_LOCK",
    }
    assert rows == READ - set_for_us
