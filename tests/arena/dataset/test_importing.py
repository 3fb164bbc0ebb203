"""Imported votes: unchanged, without duplicates, and without invalid rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hypersd.arena.dataset.export import export, write
from hypersd.arena.dataset.formats import FEATURES, arena_row
from hypersd.arena.dataset.importing import import_votes, read_votes
from hypersd.arena.dataset.publish import Publisher, restore
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore, encode
from tests.arena.voted import fresh, vote


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite is enough here: the store itself is tested on both databases."""
    return f"sqlite:///{tmp_path}/arena.sqlite"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[Store, ImageStore]]:
    store, pictures = fresh(tmp_path, "there")
    yield store, pictures
    store.engine.dispose()


@pytest.fixture
def row(store: Store, pictures: ImageStore) -> dict[str, Any]:
    """A vote as a row of an export."""
    return arena_row(vote(store, pictures, 1), None, pictures.get)


def noise(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC)


def test_pictures_of_another_encoder_are_imported_byte_for_byte(
    row: dict[str, Any], there: tuple[Store, ImageStore], tmp_path: Path
) -> None:
    """A store that is restored after an update of the image library must not refuse its own pictures."""
    file = io.BytesIO()
    noise(1).save(file, "WEBP", lossless=True, quality=0, method=0)
    data = file.getvalue()
    name = sha256(data).hexdigest()
    assert data != encode(noise(1)), "otherwise this test shows nothing"
    row |= {"picture_a": name, "image_a": {"bytes": data, "path": None}}
    write(tmp_path / "other.parquet", "arena", [row])
    assert import_votes(tmp_path / "other.parquet", *there).new == 1
    assert there[1].get(name) == data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gold": 7}, "0 or 1, not 7"),
        ({"kind": "robot"}, "'robot' is not a valid kind"),
        ({"purpose": "party"}, "'party' is not a valid purpose"),
        ({"choice": "yes"}, "'yes' is not a valid choice"),
        ({"knowing_time": "yes"}, "'yes' is not a valid knowing_time"),
        ({"model_a": "=cmd|' /C calc'!A0"}, "is not a contestant"),
        ({"prompt": None}, "has no prompt"),
        ({"prompt": "a\0b"}, "cannot be stored"),
        ({"voter": "x" * 25}, "cannot be stored"),
        ({"seconds_a": float("nan")}, "seconds"),
        ({"probability": float("inf")}, "is not a number"),
        ({"decision_ms": -1}, "milliseconds"),
        ({"input": "telepathy"}, "unknown input"),
        ({"software": "torch=2"}, "Expecting value"),
        ({"software": '["torch"]'}, "not a JSON object"),
        ({"gates": '{"captcha": "maybe"}'}, "the result of a check must be one of"),
        ({"picture_a": "../../../etc/passwd"}, "does not match its name"),
        ({"image_a": None}, "damaged"),
        ({"voted": None}, "has no voted"),
    ],
)
def test_an_invalid_row_is_rejected_and_changes_nothing(
    row: dict[str, Any], there: tuple[Store, ImageStore], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    write(tmp_path / "bad.parquet", "arena", [row | change])
    with pytest.raises(ValueError, match=r"bad\.parquet is damaged, or not an export") as raised:
        import_votes(tmp_path / "bad.parquet", *there)
    assert words in str(raised.value)
    assert there[0].count_votes() == 0
    assert compute_leaderboard(there[0].votes()).problem == "there are no votes"


def test_a_bad_row_among_good_ones_is_skipped_and_numbered(
    row: dict[str, Any], there: tuple[Store, ImageStore], tmp_path: Path
) -> None:
    other = row | {"vote_id": "e" * 32, "battle_id": "e" * 32, "pair_id": "e" * 32}
    write(tmp_path / "some.parquet", "arena", [row | {"choice": "yes"}, other, row | {"image_a": None}, row])
    for new in (2, 0):
        done = import_votes(tmp_path / "some.parquet", *there)
        assert (done.votes, done.new) == (2, new)
        assert [(one.row, one.reason) for one in done.skipped] == [
            (1, "'yes' is not a valid choice"),
            (3, "it has no picture in image_a"),
        ]
        assert {one.file for one in done.skipped} == {str(tmp_path / "some.parquet")}


def test_valid_rows_of_a_published_shard_with_a_bad_row_are_restored(
    row: dict[str, Any], there: tuple[Store, ImageStore], tmp_path: Path
) -> None:
    (tmp_path / "sent" / "human").mkdir(parents=True)
    write(tmp_path / "sent" / "human" / "one.parquet", "arena", [row, row | {"choice": "yes"}])
    with pytest.raises(ValueError, match=r"1 votes were restored, but not all: .*row 2: 'yes' is not a valid choice"):
        restore(*there, str(tmp_path / "sent"))
    assert there[0].count_votes() == 1


@pytest.mark.parametrize("data", [b"no picture", encode(noise(2))[:200]])
def test_a_picture_must_be_decodable(
    row: dict[str, Any], there: tuple[Store, ImageStore], tmp_path: Path, data: bytes
) -> None:
    row |= {"picture_a": sha256(data).hexdigest(), "image_a": {"bytes": data, "path": None}}
    write(tmp_path / "bad.parquet", "arena", [row])
    with pytest.raises(ValueError, match="cannot be opened"):
        import_votes(tmp_path / "bad.parquet", *there)


def test_the_first_vote_on_a_battle_is_kept(
    store: Store, row: dict[str, Any], there: tuple[Store, ImageStore], tmp_path: Path
) -> None:
    other = row | {"vote_id": "f" * 32, "choice": "right", "winner": "model_b"}
    write(tmp_path / "two.parquet", "arena", [row, other])
    done = import_votes(tmp_path / "two.parquet", *there)
    assert (done.votes, done.new) == (2, 1)
    assert [one.id for one in there[0].votes()] == [one.id for one in store.votes()]
    assert read_votes(tmp_path / "two.parquet") == list(store.votes())


def test_imported_votes_are_published(
    store: Store, pictures: ImageStore, there: tuple[Store, ImageStore], tmp_path: Path
) -> None:
    vote(store, pictures, 1)
    export(store.votes(), pictures, "arena", tmp_path / "out")
    import_votes(tmp_path / "out", *there)
    assert there[0].outbox.count_unpublished() == 1


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "<b>&amp;</b>", "\u202eright to left\u2066", "🦊𝒜\U0010fffe", 'a";b={}\n|']
)
def test_any_text_survives_a_round_trip(
    store: Store, pictures: ImageStore, there: tuple[Store, ImageStore], tmp_path: Path, text: str
) -> None:
    cast_vote = vote(store, pictures, 1, prompt=text, prompt_set=text, device=text, software={text: text})
    export([cast_vote], pictures, "arena", tmp_path / "out")
    import_votes(tmp_path / "out", *there)
    assert list(there[0].votes()) == [cast_vote]


def test_votes_are_read_without_their_pictures_and_without_a_store(
    store: Store, pictures: ImageStore, tmp_path: Path
) -> None:
    votes = [vote(store, pictures, number) for number in range(4)]
    publisher = Publisher(store, pictures, str(tmp_path / "published"))
    assert publisher.attempt()
    store.add_answer(votes[0].battle.id, "tie", votes[0].voted)
    assert publisher.attempt()
    expected = list(store.votes())
    assert expected[0].knowing_time == "tie"
    assert read_votes(str(tmp_path / "published")) == expected


def test_derived_columns_are_optional(
    store: Store, pictures: ImageStore, there: tuple[Store, ImageStore], tmp_path: Path
) -> None:
    vote(store, pictures, 1)
    export(store.votes(), pictures, "arena", tmp_path / "out")
    file = next((tmp_path / "out").glob("*.parquet"))
    table = pq.read_table(file).drop_columns(["winner", "dropped", "steps_a", "steps_b"])
    pq.write_table(table, file)
    assert import_votes(file, *there).new == 1
    assert set(FEATURES["arena"]) - set(table.schema.names) == {"winner", "dropped", "steps_a", "steps_b"}


def test_any_fsspec_url_is_a_source(store: Store, pictures: ImageStore, there: tuple[Store, ImageStore]) -> None:
    """Uses a file system in memory instead of the Hub's."""
    vote(store, pictures, 1)
    url = "memory://hypersd-test/votes"
    try:
        assert Publisher(store, pictures, url).attempt()
        assert read_votes(url) == list(store.votes())
        assert [restore(*there, url) for _ in range(2)] == [1, 0]
        assert import_votes(url, *there).votes == 1
    finally:
        fsspec.filesystem("memory").rm("/hypersd-test", recursive=True)


def test_an_unreachable_source_is_named(there: tuple[Store, ImageStore], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: No such file or directory; name a file"):
        import_votes(tmp_path / "nowhere", *there)
    with pytest.raises(OSError, match="nobody/nothing"):
        import_votes("hf://datasets/nobody/nothing", *there)
    with pytest.raises(OSError, match="Protocol not known"):
        import_votes("gopher://votes", *there)
