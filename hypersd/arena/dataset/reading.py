"""Exported and published votes as columns, without one object per vote: for rankings of a million votes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hypersd.arena.dataset.arena_rows import COLUMNS, IMAGES, LATER
from hypersd.arena.dataset.formats import BATTLE_FIELDS, FEATURES, PAIR_FIELDS
from hypersd.arena.dataset.importing import read_votes
from hypersd.arena.dataset.vote_files import Rejects, shards
from hypersd.arena.ranking.columns import NAMES, PURPOSES, VoteColumns, pc
from hypersd.arena.store.tables import BATTLES, PAIRS, VOTES
from hypersd.arena.votes.battle import CHOICES, INPUTS, KINDS, CheckResult, Contestant

_TYPES: Mapping[str, pa.DataType] = {
    field.name: field.type for field in FEATURES["arena"].arrow_schema if field.name in (COLUMNS | LATER) - IMAGES
}
_KEPT: Mapping[str, Any] = {
    "pair_id": PAIRS.c.id,
    "battle_id": BATTLES.c.id,
    "vote_id": VOTES.c.id,
    "model_a": PAIRS.c.first,
    "model_b": PAIRS.c.second,
    **{name: PAIRS.c[name] for name in PAIR_FIELDS},
    **{name: BATTLES.c[name] for name in BATTLE_FIELDS},
    **{name: VOTES.c[name] for name in ("choice", "decision_ms", "input", "voted")},
}
"""The table column that must be able to store each column of the format."""
_WORDS: Mapping[str, Sequence[str]] = {
    "choice": CHOICES,
    "knowing_time": CHOICES,
    "kind": KINDS,
    "purpose": PURPOSES,
    "input": INPUTS,
}
_LEAST: Mapping[str, float] = {"seconds_a": 0, "seconds_b": 0, "decision_ms": 0, "gold": 0}
_MOST: Mapping[str, float] = {"decision_ms": 2**31 - 1, "gold": 1}


class _NeedsRows(Exception):  # noqa: N818 - a result, not an error
    """These files hold values that must be read row by row."""


def read_columns(source: str | Path, rejects: Rejects | None = None) -> VoteColumns:
    """The votes of a source in the same order as `read_votes`.

    Files of the `arena` format are read by columns if every row is valid and every battle has one row; other files
    and other arenas' logs are read row by row.

    Args:
        source: a file, a folder, or any URL that fsspec supports.
        rejects: receives the rows that are not valid votes.

    Raises:
        FileNotFoundError, OSError, ValueError: as `read_votes`.
    """
    try:
        return _read(source)
    except (_NeedsRows, pa.ArrowException, OSError):
        return VoteColumns.of(read_votes(source, rejects))


def _read(source: str | Path) -> VoteColumns:
    with ExitStack() as stack:
        files = [pq.ParquetFile(stack.enter_context(shard.system.open(shard.path, "rb"))) for shard in shards(source)]
        for file in files:
            schema = file.schema_arrow
            if _TYPES.keys() - LATER - set(schema.names):
                raise _NeedsRows
            if any(schema.field(name).type != form for name, form in _TYPES.items() if name in schema.names):
                raise _NeedsRows
        votes = VoteColumns.from_arrow(lambda name: _column(files, name))
        if np.bincount(votes.battle.codes).max(initial=0) > 1:
            raise _NeedsRows
        for name in _TYPES.keys() - set(NAMES):
            _column(files, name)
        order = np.argsort(votes.voted, kind="stable")
        if (np.diff(votes.voted[order]) == 0).any():
            keys = pa.table({"voted": votes.voted, "vote_id": _column(files, "vote_id")})
            order = pc.sort_indices(keys, [("voted", "ascending"), ("vote_id", "ascending")]).to_numpy()
    return votes if bool((order[1:] > order[:-1]).all()) else votes[order]


def _column(files: Iterable[pq.ParquetFile], name: str) -> pa.ChunkedArray:
    """A column of all files; checks that every value is valid."""
    form = _TYPES[name]
    chunks: list[pa.Array] = []
    for file in files:
        here = name in file.schema_arrow.names
        chunks += file.read(columns=[name]).column(0).chunks if here else [pa.nulls(file.metadata.num_rows, form)]
    column = pa.chunked_array(chunks, form)
    _check(name, column)
    return column


def _check(name: str, column: pa.ChunkedArray) -> None:
    """Check that every value of a column is valid in a vote; raise `_NeedsRows` if not."""
    kept = _KEPT.get(name)
    optional = kept.nullable if kept is not None else name in {"knowing_time", *LATER}
    if column.null_count and not optional:
        raise _NeedsRows
    if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column), min_count=0).as_py():
        raise _NeedsRows
    if name in _LEAST:
        limits = pc.min_max(column).as_py()
        if limits["min"] is not None and not _LEAST[name] <= limits["min"] <= limits["max"] <= _MOST.get(name, np.inf):
            raise _NeedsRows
    if pa.types.is_string(column.type):
        length = getattr(kept.type, "length", None) if kept is not None else None
        _check_texts(name, column, length)


def _check_texts(name: str, column: pa.ChunkedArray, length: int | None) -> None:
    if length is not None and (pc.max(pc.utf8_length(column)).as_py() or 0) > length:
        raise _NeedsRows
    if pc.any(pc.match_substring(column, "\0"), min_count=0).as_py():
        raise _NeedsRows
    if name in _WORDS or name in {"gates", "software", "model_a", "model_b"}:
        for value in column.unique().drop_null().to_pylist():
            if not _fits(name, value):
                raise _NeedsRows


def _fits(name: str, value: str) -> bool:
    try:
        if name in _WORDS:
            return value in _WORDS[name]
        if name.startswith("model_"):
            return bool(Contestant.parse(value))
        facts = json.loads(value)
    except ValueError:
        return False
    texts = isinstance(facts, dict) and all(isinstance(each, str) for each in facts.values())
    return texts and (name != "gates" or set(facts.values()) <= set(get_args(CheckResult)))
