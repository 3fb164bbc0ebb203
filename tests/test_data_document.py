"""docs/data.md has each column of the tables and of the exports, with its type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from datasets import Image, List, Value
from sqlalchemy import JSON

from hypersd.arena.dataset.formats import FEATURES
from hypersd.arena.store.tables import METADATA, Moment

DTYPES = {
    "string": "text",
    "float64": "number",
    "int64": "integer",
    "bool": "truth",
    "binary": "bytes",
    "timestamp[us, tz=UTC]": "time (UTC)",
}
PYTHON = {str: "text", int: "integer", float: "number", bool: "truth"}


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[str, str]:
    """The rows of the document's tables, by their first cell."""
    text = (root / "docs" / "data.md").read_text()
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE))


def kind(feature: Any) -> str:
    if isinstance(feature, Image):
        return "picture"
    if isinstance(feature, Value):
        return DTYPES[feature.dtype]
    inner = feature.feature if isinstance(feature, List) else feature[0]
    return f"list of {kind(inner)}"


@pytest.mark.parametrize("table", METADATA.sorted_tables, ids=lambda table: table.name)
def test_each_column_of_a_table_is_described(rows: dict[str, str], table: Any) -> None:
    def described(column: Any) -> str:
        if isinstance(column.type, Moment):
            shown = "time (UTC)"
        else:
            shown = "JSON" if isinstance(column.type, JSON) else PYTHON[column.type.python_type]
        return f"`{column.name}` {shown}{', may be null' if column.nullable else ''}"

    assert rows[table.name] == "; ".join(map(described, table.columns))


@pytest.mark.parametrize("name", FEATURES)
def test_each_column_of_a_format_is_described(rows: dict[str, str], name: str) -> None:
    kinds: dict[str, list[str]] = {}
    for column, feature in FEATURES[name].items():
        kinds.setdefault(kind(feature), []).append(f"`{column}`")
    assert rows[name] == "; ".join(f"{word}: {', '.join(columns)}" for word, columns in kinds.items())
