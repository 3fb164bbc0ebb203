"""Votes read by columns equal votes read row by row."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hypersd.arena.dataset.export import write
from hypersd.arena.dataset.formats import FEATURES, arena_row
from hypersd.arena.dataset.importing import read_votes
from hypersd.arena.dataset.reading import read_columns
from hypersd.arena.dataset.vote_files import Rejects
from hypersd.arena.ranking.columns import Coded, VoteColumns
from tests.arena.conftest import entry, pair
from tests.arena.votes.test_quality import START, vote


def rows() -> list[dict[str, Any]]:
    """Rows of the arena format, not in the order of their votes, two of them with the same time."""
    votes = []
    for number in (3, 1, 2, 0, 4):
        what = pair(id=f"{number:032}", entries=(entry("emoji/hyper@4", "p" * 64), entry("emoji/base@25", "q" * 64)))
        moment = START + timedelta(seconds=number // 2)
        cast_vote = vote(
            number, id=f"{9 - number:032}", pair=what, battle=f"{number:032}", swapped=number == 2, voted=moment
        )
        votes.append(arena_row(cast_vote, None, lambda _: b"picture") | {"created": START, "drawn": START})
    return votes


def plain(columns: VoteColumns) -> dict[str, Any]:
    """Columns as lists of decoded values."""
    said: dict[str, Any] = {}
    for field in fields(columns):
        value = getattr(columns, field.name)
        if isinstance(value, Coded):
            texts = [*value.texts(), None]
            said[field.name] = [texts[code] for code in value.codes]
        else:
            said[field.name] = np.asarray(value).tolist()
    return said


@pytest.mark.parametrize("files", [1, 3])
def test_columns_are_the_votes_in_their_order(tmp_path: Path, files: int) -> None:
    for part in range(files):
        write(tmp_path / f"{part}.parquet", "arena", rows()[part::files])
    columns = read_columns(tmp_path)
    assert plain(columns) == plain(VoteColumns.of(read_votes(tmp_path)))
    assert columns.voted.tolist() == sorted(columns.voted)
    assert len(columns) == 5


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("choice", "both"),
        ("gold", 7),
        ("decision_ms", -1),
        ("seconds_a", float("nan")),
        ("model_a", "nobody"),
        ("voter", "v" * 200),
        ("prompt", "a\0b"),
        ("gates", "[]"),
        ("gates", '{"captcha": "maybe"}'),
        ("software", "{"),
        ("pair_id", None),
        ("input", "telepathy"),
    ],
)
def test_an_invalid_row_is_left_out_of_columns_too(tmp_path: Path, column: str, value: Any) -> None:
    result = rows()
    result[1] |= {column: value}
    pq.write_table(pa.Table.from_pylist(result, schema=FEATURES["arena"].arrow_schema), tmp_path / "x.parquet")
    rejects, others = Rejects(), Rejects()
    columns = read_columns(tmp_path, rejects)
    assert plain(columns) == plain(VoteColumns.of(read_votes(tmp_path, others)))
    assert len(columns) == 4
    assert [row.row for row in rejects.skipped] == [row.row for row in others.skipped] == [2]


def test_a_battle_with_two_rows_has_one_vote(tmp_path: Path) -> None:
    write(tmp_path / "x.parquet", "arena", [*rows(), rows()[0] | {"withdrawn": START}])
    columns = read_columns(tmp_path)
    assert len(columns) == 5
    assert columns.withdrawn.sum() == 1


def test_an_export_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows(), schema=FEATURES["arena"].arrow_schema).drop(["withdrawn"])
    pq.write_table(table, tmp_path / "x.parquet")
    assert len(read_columns(tmp_path)) == 5


@pytest.mark.parametrize("content", [b"", b"PAR1", b"{}"])
def test_a_file_without_votes_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.parquet"):
        read_columns(tmp_path / "x.parquet")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_columns(tmp_path / "nowhere")
