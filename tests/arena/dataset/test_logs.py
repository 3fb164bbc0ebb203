"""Other arenas' logs: every spelling of a vote is read, every broken row is named, duplicates are ignored."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hypersd.arena.dataset.importing import import_votes, read_votes, whereabouts
from hypersd.arena.dataset.vote_files import Rejects
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.service.battles import BattleService
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from tests.arena.voted import fresh

Place = tuple[Store, ImageStore]


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    store, pictures = fresh(tmp_path, "there")
    yield store, pictures
    store.engine.dispose()


def battle(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A row as FastChat's clean_battle_data writes it for LMArena and GenAI-Arena."""
    return {
        "question_id": f"q{number}",
        "model_a": "PixArt",
        "model_b": "SDXL-Turbo",
        "winner": "model_a",
        "judge": f"arena_user_{number % 7}",
        "anony": True,
        "tstamp": 1_700_000_000.5 + 90 * number,
    } | changes


def lines(file: Path, *rows: dict[str, Any] | str) -> Path:
    file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return file


@pytest.mark.parametrize(
    ("row", "choice"),
    [
        (battle(), "left"),
        (battle(winner="model_b"), "right"),
        (battle(winner="tie"), "tie"),
        (battle(winner="tie (bothbad)"), "both_bad"),
        (battle(winner="both_bad"), "both_bad"),
        ({"model_a": "a", "model_b": "b", "winner": "model_a"}, "left"),
        ({"id": 1, "model_a": "a", "model_b": "b", "winner_model_a": 0, "winner_model_b": 0, "winner_tie": 1}, "tie"),
        ({"left_model": "a", "right_model": "b", "vote_type": "rightvote", "prompt": "a cat"}, "right"),
        ({"left_model": "a", "right_model": "b", "vote_type": "bothbad_vote"}, "both_bad"),
        ({"type": "tievote", "models": ["a", "b"], "tstamp": 1700000000, "states": [{}, {}], "ip": "::1"}, "tie"),
        ({"system_a": "a", "system_b": "b", "preference": "BOTH_BAD", "date": "2025-07-01T12:00:00Z"}, "both_bad"),
    ],
)
def test_every_spelling_of_a_vote_is_read(there: Place, tmp_path: Path, row: dict[str, Any], choice: str) -> None:
    assert import_votes(lines(tmp_path / "log.jsonl", row), *there).new == 1
    (vote,) = there[0].votes()
    assert vote.choice == choice
    assert [entry.contestant.steps for entry in vote.battle.sides] == [0, 0]
    assert vote.battle.pair.study == "log"
    assert BattleService(there[0]).next_battle("somebody") is None, "there is nothing to show"


@pytest.mark.parametrize(
    "form", ["jsonl", "conv.json", "json", "columns.json", "csv", "semicolon.csv", "parquet", "jsonl.gz"]
)
def test_the_same_votes_come_from_every_kind_of_file(there: Place, tmp_path: Path, form: str) -> None:
    rows = [battle(number, winner=("model_a", "model_b", "tie")[number % 3]) for number in range(12)]
    file, frame = tmp_path / f"log.{form}", pd.DataFrame(rows)
    if form in {"jsonl", "conv.json"}:
        lines(file, *rows)
    elif form == "json":
        file.write_text("\ufeff" + json.dumps(rows, indent=2), encoding="utf-8")
    elif form == "columns.json":
        frame.to_json(file)
    elif form == "jsonl.gz":
        file.write_bytes(gzip.compress(lines(tmp_path / "plain", *rows).read_bytes()))
    elif form == "parquet":
        frame.to_parquet(file)
    else:
        frame.to_csv(file, index=False, sep=";" if form == "semicolon.csv" else ",")
    assert [import_votes(file, *there).new for _ in range(2)] == [12, 0]
    assert import_votes(lines(tmp_path / "again.jsonl", *rows), *there).new == 0
    votes = list(there[0].votes())
    assert Counter(vote.choice for vote in votes) == {"left": 4, "right": 4, "tie": 4}
    assert len({vote.battle.voter for vote in votes}) == 7
    assert votes[1].voted.timestamp() == rows[1]["tstamp"]


def test_bad_rows_are_skipped_and_numbered(there: Place, tmp_path: Path) -> None:
    rows = (
        battle(0),
        battle(1, winner="perhaps"),
        battle(2, anony=False),
        battle(3, model_b=None),
        "[1, 2]",
        battle(4, tstamp="yesterday"),
        battle(5, winner=None),
        {"type": "chat", "model": "a"},
        '{"model_a": "cut o',
    )
    done = import_votes(lines(tmp_path / "log.jsonl", *rows), *there)
    assert (done.votes, done.unlabelled) == (1, 1)
    assert {one.row: one.reason for one in done.skipped} == {
        2: "the winner must be model_a, model_b, tie or both_bad, not 'perhaps'",
        3: "the models' names were shown (anony is false)",
        4: "it does not name two models",
        5: "it is not an object",
        6: "the time of the vote must be a date and time, not 'yesterday'",
        7: "the winner must be model_a, model_b, tie or both_bad, not None",
        9: "it is not valid JSON, or is truncated",
    }


def test_a_csv_row_of_another_length_is_skipped(there: Place, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(
            [["model_a", "model_b", "winner"], ["a", "b", "tie"], ["a", "b"], ["a\nb", "c,d", "model_b"], [*"abcd"]]
        )
    done = import_votes(file, *there)
    assert done.new == 2
    assert [one.row for one in done.skipped] == [2, 4]


def test_equal_rows_are_different_votes_and_are_imported_once(there: Place, tmp_path: Path) -> None:
    row = {"model_a": "a", "model_b": "b", "winner": "tie"}
    file = lines(tmp_path / "log.jsonl", row, row, row)
    assert [import_votes(file, *there).new for _ in range(2)] == [3, 0]


def test_a_log_is_ranked_on_its_own_and_a_store_names_its_study(there: Place, tmp_path: Path) -> None:
    rows = [battle(number, winner="model_b" if number % 4 else "model_a") for number in range(120)]
    file = lines(tmp_path / "log.jsonl", *rows, battle(200, winner="?"))
    rejects = Rejects()
    leaderboard = compute_leaderboard(read_votes(file, rejects))
    assert [one.contestant for one in leaderboard.standings] == ["unknown/SDXL-Turbo@?", "unknown/PixArt@?"]
    assert (leaderboard.kept, len(rejects.skipped)) == (120, 1)
    done = import_votes(file, *there)
    assert compute_leaderboard(there[0].votes()).votes == 0, "they are not votes of this arena"
    assert done.studies == {"log": 120}
    assert whereabouts(done.studies).startswith("120 imported votes are in the study log: they come from another arena")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("log.csv", b"", "is empty"),
        ("log.jsonl", b" \n\n", "is empty"),
        ("log.parquet", b"", "is empty"),
        ("log.json", b'[{"model_a": "a", "model_b": "b", "win', "is truncated"),
        ("log.json", b'{"a": 1}', "its columns are a$"),
        ("log.csv", b"model_a,model_b\na,b\n", "has neither the columns model_a, model_b and winner"),
        ("log.txt", b"hello", "neither Parquet, JSON nor CSV"),
        ("log.png", b"\x89PNG\r\n\x1a\n\xff\xfe", "neither Parquet nor text"),
        ("log.parquet", b"PAR1 and nothing more", "is damaged, or not a Parquet file"),
        ("log.jsonl.gz", b"\x1f\x8b\x08 cut off", "is not a file of votes"),
        ("log.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git-lfs pointer"),
        ("log.jsonl", b'{"model_a": "a", "model_b": "b", "winner": "?"}\n', "row 1: the winner must be"),
    ],
)
def test_a_file_that_is_not_a_log_is_named(there: Place, tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    for read in (lambda: import_votes(tmp_path / name, *there), lambda: read_votes(tmp_path / name)):
        with pytest.raises(ValueError, match=words) as raised:
            read()
        assert name in str(raised.value)
        assert "\n" not in str(raised.value)
    assert there[0].count_votes() == 0
