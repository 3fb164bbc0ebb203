"""Pick-a-Pic's votes: imported with missing data marked as unknown, and exported unchanged."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, load_dataset
from PIL import Image

from hypersd.arena.dataset.export import export
from hypersd.arena.dataset.importing import import_votes, read_votes
from hypersd.arena.dataset.pickapic import number_of
from hypersd.arena.ranking.leaderboard import compute_leaderboard, pairwise_votes
from hypersd.arena.service.battles import BattleService
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.arena.votes.quality import clean
from hypersd.feedback.preferences.dataset import from_votes, read_preferences
from tests.arena.voted import fresh, vote

Place = tuple[Store, ImageStore]
MOMENT = datetime(2023, 2, 1, 12, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite is enough here: the store itself is tested on both databases."""
    return f"sqlite:///{tmp_path}/arena.sqlite"


@pytest.fixture
def there(tmp_path: Path) -> Any:
    store, pictures = fresh(tmp_path, "there")
    yield store, pictures
    store.engine.dispose()


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 80, 160)).save(file, "JPEG")
    return file.getvalue()


def original(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A row as Pick-a-Pic has it."""
    return {
        "are_different": True,
        "best_image_uid": f"uid-{number}-0",
        "caption": f"a fox, number {number}",
        "created_at": MOMENT.replace(tzinfo=None) + timedelta(minutes=number),
        "has_label": True,
        "image_0_uid": f"uid-{number}-0",
        "image_0_url": "https://example.org/0.png",
        "image_1_uid": f"uid-{number}-1",
        "image_1_url": "https://example.org/1.png",
        "jpg_0": jpeg(2 * number),
        "jpg_1": jpeg(2 * number + 100),
        "label_0": 1.0,
        "label_1": 0.0,
        "model_0": "stabilityai/stable-diffusion-2-1",
        "model_1": "dreamlike-art/dreamlike-photoreal-2.0",
        "ranking_id": 17 + number,
        "user_id": 4,
        "num_example_per_prompt": 1,
        "__index_level_0__": number,
    } | changes


def written(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    file = tmp_path / "original.parquet"
    Dataset.from_list(list(rows)).to_parquet(file)
    return file


def loaded(folder: Path, cache: Path) -> dict[int, dict[str, Any]]:
    splits = load_dataset(str(folder), cache_dir=str(cache))
    return {row["ranking_id"]: row for split in splits.values() for row in split}


def test_original_rows_are_imported_once_and_exported_unchanged(there: Place, tmp_path: Path) -> None:
    labels = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]
    rows = [original(number, label_0=labels[number % 3][0], label_1=labels[number % 3][1]) for number in range(24)]
    file = written(tmp_path, *rows, original(99, has_label=False))
    assert [import_votes(file, *there).new for _ in range(2)] == [24, 0]
    votes = list(there[0].votes())
    export(votes, there[1], "pickapic", tmp_path / "out")
    given = loaded(tmp_path / "out", tmp_path / "cache")
    assert given.keys() == {row["ranking_id"] for row in rows}
    for row in rows:
        again = given[row["ranking_id"]]
        same = ("caption", "jpg_0", "jpg_1", "label_0", "label_1", "user_id", "has_label", "are_different")
        assert {name: again[name] for name in same} == {name: row[name] for name in same}
        assert again["created_at"] == row["created_at"].replace(tzinfo=UTC)
        assert again["model_0"] == f"unknown/{row['model_0']}@?"
    elsewhere = fresh(tmp_path, "elsewhere")
    assert import_votes(tmp_path / "out", *there).new == 0, "they are here already"
    assert [import_votes(tmp_path / "out", *elsewhere).new for _ in range(2)] == [24, 0]
    assert {one.id[:24] for one in elsewhere[0].votes()} == {one.id[:24] for one in votes}
    elsewhere[0].engine.dispose()


def test_our_own_export_is_imported_with_its_contestants_and_its_kind(
    store: Store, pictures: ImageStore, there: Place, tmp_path: Path
) -> None:
    for number, choice in enumerate(("left", "right", "tie")):
        vote(store, pictures, number, "simulated", choice=choice)
    votes = list(store.votes())
    export(votes, pictures, "pickapic", tmp_path / "out", kind="simulated")
    assert import_votes(tmp_path / "out", store, pictures).new == 0, "they were made here"
    assert [import_votes(tmp_path / "out", *there).new for _ in range(2)] == [3, 0]
    votes_by_id = {one.battle.pair.prompt: one for one in there[0].votes()}
    for cast_vote in votes:
        again = votes_by_id[cast_vote.battle.pair.prompt]
        assert (again.choice, again.battle.kind, again.voted) == (cast_vote.choice, "simulated", cast_vote.voted)
        sides, known = ([(e.contestant, e.picture) for e in it.battle.sides] for it in (again, cast_vote))
        assert sides == known
        assert number_of(again.id) == number_of(cast_vote.id)
    assert import_votes(tmp_path / "out", store, pictures).new == 0
    cleaned = clean(there[0].votes(), kind="simulated")
    assert len(cleaned.kept) == len(cleaned.within("pickapic").kept) == 3
    assert compute_leaderboard(there[0].votes(), kind="simulated").kept == 0, "not in the open arena"
    assert len(pairwise_votes(there[0].votes())) == 3


def test_missing_data_is_marked_and_neither_ranked_nor_shown(there: Place, tmp_path: Path) -> None:
    bare = {name: original()[name] for name in ("caption", "jpg_0", "jpg_1", "label_0", "label_1", "created_at")}
    assert import_votes(written(tmp_path, bare), *there, "simulated").new == 1
    (vote,) = there[0].votes()
    battle, pair = vote.battle, vote.battle.pair
    assert {entry.contestant.label for entry in pair.entries} == {"unknown/unknown@?"}
    assert {(entry.seconds, entry.calls, entry.version) for entry in pair.entries} == {(0.0, 0, "unknown")}
    assert (pair.seed, pair.probability, pair.study, pair.device) == (-1, 0.0, "pickapic", "unknown")
    assert (battle.kind, battle.shown, vote.client.decision_ms) == ("simulated", None, None)
    assert battle.voter.startswith("unknown")
    assert pairwise_votes([vote]) == []
    assert BattleService(there[0]).next_battle("somebody") is None


def test_a_reward_model_learns_from_them(there: Place, tmp_path: Path) -> None:
    import_votes(written(tmp_path, original(0), original(1, label_0=0.0, label_1=1.0)), *there)
    preferences = from_votes(there[0].votes())
    assert {(one.prompt, one.target) for one in preferences.examples} == {
        ("a fox, number 0", 1.0),
        ("a fox, number 1", 0.0),
    }
    assert there[1].get(preferences.examples[0].pictures[0]) == jpeg(0)


def test_votes_on_the_same_pictures_share_one_pair(there: Place, tmp_path: Path) -> None:
    first = original()
    sides = {"jpg_0": "jpg_1", "jpg_1": "jpg_0", "model_0": "model_1", "model_1": "model_0"}
    turned = first | {new: first[old] for new, old in sides.items()} | {"user_id": 5, "ranking_id": 2**62}
    assert import_votes(written(tmp_path, first, turned), *there).new == 2
    votes = list(there[0].votes())
    assert len({one.battle.pair.id for one in votes}) == 1
    assert {one.winner.picture for one in votes if one.winner} == {
        votes[0].battle.sides[0].picture,
        votes[0].battle.sides[1].picture,
    }
    assert {one.battle.voter for one in votes} == {"p4", "p5"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label_0": 1.0, "label_1": 1.0}, "labels must be 1 and 0"),
        ({"label_0": None}, "labels must be"),
        ({"caption": None}, "has no prompt"),
        ({"caption": "a\0b"}, "cannot be stored"),
        ({"jpg_1": None}, "no picture in jpg_1"),
        ({"jpg_1": b"no picture"}, "cannot be opened"),
        ({"created_at": None}, "no date and time in created_at"),
        ({"user_id": -4}, "user_id must be a whole number"),
        ({"model_0": "x" * 200}, "cannot be stored"),
        ({"kind": "robot"}, "'robot' is not a kind of voter"),
    ],
)
def test_an_invalid_row_is_named(there: Place, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    file = written(tmp_path, original(**change))
    with pytest.raises(ValueError, match=r"original\.parquet has a row that is not a valid vote") as raised:
        import_votes(file, *there)
    assert words in str(raised.value)
    assert there[0].count_votes() == 0


def test_a_bad_row_among_good_ones_is_skipped_and_numbered(there: Place, tmp_path: Path) -> None:
    file = written(tmp_path, original(0), original(1, label_0=0.3), original(2), original(3, has_label=False))
    for new in (2, 0):
        done = import_votes(file, *there)
        assert (done.votes, done.new, done.unlabelled) == (2, new, 1)
        assert [(one.row, one.reason) for one in done.skipped] == [
            (2, "labels must be 1 and 0, 0 and 1, or 0.5 each, not 0.3 and 0.0")
        ]


def test_ids_beside_a_null_are_floats_in_pandas(there: Place, tmp_path: Path) -> None:
    rows = [original(0), original(1, ranking_id=None, user_id=None)]
    pd.DataFrame(rows).to_parquet(tmp_path / "floats.parquet")
    assert pq.read_schema(tmp_path / "floats.parquet").field("user_id").type == "double"
    assert import_votes(tmp_path / "floats.parquet", *there).new == 2
    assert import_votes(written(tmp_path, *rows), *there).new == 0, "the same votes, as ints or as floats"
    assert sorted(one.battle.voter[:2] for one in there[0].votes()) == ["p4", "un"]


@pytest.mark.parametrize("path", [None, "fox.jpg"])
def test_pictures_may_be_structs_as_datasets_writes_them(there: Place, tmp_path: Path, path: str | None) -> None:
    row = original() | {f"jpg_{side}": {"bytes": jpeg(50 * side), "path": path} for side in (0, 1)}
    assert import_votes(written(tmp_path, row), *there).new == 1
    bare = original(1) | {f"jpg_{side}": {"bytes": None, "path": "fox.jpg"} for side in (0, 1)}
    done = import_votes(written(tmp_path, row, bare), *there)
    assert [one.reason for one in done.skipped] == ["the picture of jpg_0 is not in the file, only its path is"]


@pytest.mark.parametrize("column", ["label_1", "caption", "jpg_0"])
def test_a_missing_column_is_named(there: Place, tmp_path: Path, column: str) -> None:
    row = original()
    del row[column]
    with pytest.raises(ValueError, match=rf"has Pick-a-Pic's columns, but not {column}$"):
        import_votes(written(tmp_path, row), *there)


def test_without_times_the_error_names_the_column_and_an_alternative(there: Place, tmp_path: Path) -> None:
    row = original()
    del row["created_at"]
    file = written(tmp_path, row)
    for read in (lambda: import_votes(file, *there), lambda: read_votes(file)):
        with pytest.raises(ValueError, match=r"not created_at, and a vote needs .* add that column, or .*reward train"):
            read()
    assert there[0].count_votes() == 0
    assert len(read_preferences(file, there[1]).examples) == 1
    del row["jpg_0"]
    with pytest.raises(ValueError, match=r"but not created_at, jpg_0$"):
        import_votes(written(tmp_path, row), *there)


def test_they_can_be_ranked_on_their_own(tmp_path: Path) -> None:
    rows = [
        original(number, user_id=number, label_0=label, label_1=1 - label) for number, label in enumerate([1.0, 0, 1.0])
    ]
    leaderboard = compute_leaderboard(read_votes(written(tmp_path, *rows)))
    assert leaderboard.kept == 3
    assert set(leaderboard.contestants) == {f"unknown/{rows[0][name]}@?" for name in ("model_0", "model_1")}
