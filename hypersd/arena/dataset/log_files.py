"""Rows of JSON, JSON Lines and CSV logs; one broken row does not stop the reading of the others."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

LFS = b"version https://git-lfs.github.com/"
_DELIMITERS = ",;\t"
_LONGEST_FIELD = 2**30
"""Longest CSV field in characters: a field can hold a whole conversation; Python's default limit is 128 KiB."""

Row = Mapping[str, Any]


def read_rows(data: bytes) -> Iterator[tuple[int, Row | str]]:
    """Yield the number of each row, from 1, with the row or, if it cannot be read, the reason.

    JSON is a list of objects, or pandas' columns of indexed values. The first character tells JSON from CSV.

    Raises:
        ValueError: the data has none of these formats, or is truncated.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is neither Parquet nor text in UTF-8") from error
    start = text.lstrip()[:1]
    if not start:
        raise ValueError("it is empty")
    if start == "[" or (start == "{" and not _is_object(text.lstrip().partition("\n")[0])):
        return _json_rows(text)
    return _line_rows(text) if start == "{" else _csv_rows(text)


def _is_object(line: str) -> bool:
    """True if a line is a complete JSON object and not a table of columns: then each line is a row."""
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and not all(isinstance(value, dict) for value in row.values())


def _json_rows(text: str) -> Iterator[tuple[int, Row | str]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not valid JSON, or is truncated: {error}") from error
    if isinstance(document, dict):
        document = _transposed(document)
    return ((number, row if isinstance(row, dict) else "it is not an object") for number, row in enumerate(document, 1))


def _transposed(table: Mapping[str, Any]) -> list[Any]:
    """Rows of pandas' columns `{name: {index: value}}`.

    Raises:
        ValueError: it is another object.
    """
    columns = {name: cells for name, cells in table.items() if isinstance(cells, dict)}
    if not columns:
        raise ValueError("it is a JSON object, not a list of votes")
    indices = next(iter(columns.values()))
    return [{name: cells.get(index) for name, cells in columns.items()} for index in indices]


def _line_rows(text: str) -> Iterator[tuple[int, Row | str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield number, "it is not valid JSON, or is truncated"
        else:
            yield number, row if isinstance(row, dict) else "it is not an object"


def _csv_rows(text: str) -> Iterator[tuple[int, Row | str]]:
    header = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    if "\0" in text or not header.count(delimiter):
        raise ValueError("it is neither Parquet, JSON nor CSV")
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        for number, row in enumerate(csv.DictReader(io.StringIO(text), delimiter=delimiter), start=1):
            if None in row or None in row.values():
                yield number, "its number of fields differs from the first line's"
            else:
                yield number, {name: value or None for name, value in row.items()}
    except csv.Error as error:
        raise ValueError(f"it is not valid CSV: {error}") from error
    finally:
        csv.field_size_limit(limit)
