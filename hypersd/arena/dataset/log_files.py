"""Rows of JSON, JSON Lines and CSV logs; one broken row does not stop the reading of the others."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO, TextIO

LFS = b"version https://git-lfs.github.com/"
_DELIMITERS = ",;\t"
_LONGEST_FIELD = 2**30
"""Longest CSV field in characters: a field can hold a whole conversation; Python's default limit is 128 KiB."""

_CHUNK = 2**16
"""Characters of a JSON list that are read at a time."""

Row = Mapping[str, Any]


def read_rows(file: BinaryIO) -> Iterator[tuple[int, Row | str]]:
    """Yield the number of each row, from 1, with the row or, if it cannot be read, the reason.

    JSON is a list of objects, or pandas' columns of indexed values. The first character tells JSON from CSV. Only
    a part of the file is in memory at a time, except for pandas' columns.

    Raises:
        ValueError: the data has none of these formats, or is truncated.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield from _rows(text)
    except UnicodeDecodeError as error:
        raise ValueError("it is neither Parquet nor text in UTF-8") from error
    finally:
        text.detach()


def _rows(text: TextIO) -> Iterator[tuple[int, Row | str]]:
    head = text.read(_CHUNK)
    while head and not head.strip():
        head = text.read(_CHUNK)
    head = head.lstrip()
    if not head:
        raise ValueError("it is empty")
    if head[0] == "[":
        return _list_rows(head[1:], text)
    head += text.readline()
    lines = chain(io.StringIO(head, newline=""), text)
    first = head.partition("\n")[0]
    if head[0] == "{":
        return _line_rows(lines) if _is_object(first) else _table_rows("".join(lines))
    return _csv_rows(first, lines)


def _is_object(line: str) -> bool:
    """True if a line is a complete JSON object and not a table of columns: then each line is a row."""
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and not all(isinstance(value, dict) for value in row.values())


def _list_rows(rest: str, text: TextIO) -> Iterator[tuple[int, Row | str]]:
    """Rows of a JSON list after its bracket, decoded one by one; `rest` begins the text."""
    decode, number, fed, ended = json.JSONDecoder().raw_decode, 0, _CHUNK, False
    while True:
        rest = rest.lstrip(" \t\r\n,") if number else rest.lstrip()
        if rest.startswith("]"):
            if rest[1:].strip() or text.read().strip():
                raise ValueError("it is not valid JSON: there is something after its list")
            return
        try:
            row, end = decode(rest)
        except (ValueError, RecursionError) as error:
            more = "" if ended else text.read(fed)
            ended, fed = not more, 2 * fed  # a long row is decoded again from its start, so not in small steps
            if ended:
                raise ValueError(f"it is not valid JSON, or is truncated: {error}") from error
            rest += more
            continue
        number, rest, fed = number + 1, rest[end:], _CHUNK
        yield number, row if isinstance(row, dict) else "it is not an object"


def _table_rows(text: str) -> Iterator[tuple[int, Row | str]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not valid JSON, or is truncated: {error}") from error
    return enumerate(_transposed(document), 1)


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


def _line_rows(lines: Iterable[str]) -> Iterator[tuple[int, Row | str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield number, "it is not valid JSON, or is truncated"
        else:
            yield number, row if isinstance(row, dict) else "it is not an object"


def _csv_rows(header: str, lines: Iterable[str]) -> Iterator[tuple[int, Row | str]]:
    delimiter = max(_DELIMITERS, key=header.count)
    if not header.count(delimiter):
        raise ValueError("it is neither Parquet, JSON nor CSV")
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        for number, row in enumerate(csv.DictReader(map(_without_nul, lines), delimiter=delimiter), start=1):
            if None in row or None in row.values():
                yield number, "its number of fields differs from the first line's"
            else:
                yield number, {name: value or None for name, value in row.items()}
    except csv.Error as error:
        raise ValueError(f"it is not valid CSV: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _without_nul(line: str) -> str:
    if "\0" in line:
        raise ValueError("it is neither Parquet, JSON nor CSV")
    return line
