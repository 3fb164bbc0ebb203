"""Crowd-sourced sets in their published columns: every vote is read, every broken row is named, little is in memory."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pictures

from hypersd.arena.dataset.export import export
from hypersd.arena.dataset.importing import import_votes, read_votes
from hypersd.arena.dataset.vote_files import Rejects, shards
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.arena.votes.quality import clean
from tests.arena.voted import fresh

Place = tuple[Store, ImageStore]


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    store, pictures = fresh(tmp_path, "there")
    yield store, pictures
    store.engine.dispose()


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Pictures.new("RGB", (16, 16), (shade, 0, 255 - shade)).save(file, "PNG")
    return file.getvalue()


def detail(voted_for: str, trust: float = 0.4469) -> dict[str, Any]:
    """A person's vote as Rapidata publishes it."""
    scores = {"country": "BY", "language": "ru", "userScores": {"global": trust}, "demographics": {}}
    return {"votedFor": voted_for, "userDetails": scores}


def rapidata(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A row of Rapidata's set, with three votes."""
    names = [f"flux_{number}.png", f"dalle_{number}.jpg"]
    details = [detail(names[0]), detail(names[1]), detail(names[0])]
    return {
        "prompt": f"a small blue book, number {number}",
        "image1": {"bytes": png(number % 256), "path": names[0]},
        "image2": {"bytes": png(255 - number % 256), "path": names[1]},
        "votes_image1": 2,
        "votes_image2": 1,
        "model1": "Flux",
        "model2": "DALL-E 3",
        "detailed_results": json.dumps(details),
        "image1_path": f"images/{names[0]}",
        "image2_path": f"images/{names[1]}",
    } | changes


def parquet(file: Path, *rows: dict[str, Any]) -> Path:
    types = {"votes_image1": Value("int64"), "votes_image2": Value("int64"), "image1": Image(), "image2": Image()}
    features = Features({name: types.get(name, Value("string")) for name in rows[0]})
    Dataset.from_list(list(rows), features=features).to_parquet(str(file))
    return file


def choices(source: Path, rejects: Rejects | None = None) -> Counter[str]:
    return Counter(vote.choice for vote in read_votes(source, rejects))


def test_rapidata_s_votes_are_imported_once_with_their_pictures(tmp_path: Path, there: Place) -> None:
    file = parquet(tmp_path / "train.parquet", *map(rapidata, range(20)))
    store, pictures = there
    done = import_votes(file, store, pictures)
    assert (done.votes, done.new, done.studies) == (60, 60, {"crowdsourced": 60})
    assert import_votes(file, store, pictures).new == 0
    votes = list(store.votes())
    assert Counter(vote.choice for vote in votes) == {"left": 40, "right": 20}
    assert {entry.contestant.label for entry in votes[0].battle.pair.entries} == {
        "unknown/Flux@?",
        "unknown/DALL-E 3@?",
    }
    assert len({vote.battle.pair.id for vote in votes}) == 20
    assert len({vote.battle.voter for vote in votes}) == 60, "its votes name no voter"
    assert pictures.get(votes[0].battle.pair.entries[0].picture).startswith(b"\x89PNG")
    exported = export(store.votes(), pictures, "pickapic", tmp_path / "out")
    assert (sum(exported.rows.values()), exported.left_out) == (60, 0)


def test_the_crowd_is_ranked_on_its_own(tmp_path: Path) -> None:
    board = compute_leaderboard(read_votes(parquet(tmp_path / "train.parquet", *map(rapidata, range(40)))))
    assert (board.votes, board.kept) == (120, 120)
    assert [row.contestant for row in board.standings] == ["unknown/Flux@?", "unknown/DALL-E 3@?"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"detailed_results": None}, {"left": 2, "right": 1}),
        ({"detailed_results": json.dumps([detail("another.png")])}, {"left": 2, "right": 1}),
        ({"detailed_results": None, "votes_image1": 0, "votes_image2": 0}, {}),
        ({"image1_path": None, "image2_path": None}, {"left": 2, "right": 1}),
    ],
)
def test_numbers_of_votes_stand_in_for_missing_details(
    tmp_path: Path, changes: dict[str, Any], expected: dict[str, int]
) -> None:
    assert choices(parquet(tmp_path / "a.parquet", rapidata(**changes))) == expected


@pytest.mark.parametrize(
    ("weights", "expected"), [((0.8, 0.2), {"left": 1}), ((0.1, 0.9), {"right": 1}), ((0.5, 0.5), {"tie": 1})]
)
def test_weights_alone_are_one_vote(tmp_path: Path, weights: tuple[float, float], expected: dict[str, int]) -> None:
    names = ("weighted_results_image1_preference", "weighted_results_image2_preference")
    row = {"prompt": "a cat", "model1": "a", "model2": "b", **dict(zip(names, weights, strict=True))}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    assert choices(tmp_path / "a.jsonl") == expected


def datapoint(*votes: tuple[str, float, str], text: bool = False) -> dict[str, Any]:
    """A row with votes and the trust in each annotator."""
    listed = [{"winner": winner, "trust": trust, "annotator_id": voter} for winner, trust, voter in votes]
    row = {"prompt": "a cat", "model_a": "gpt-image-2-high", "model_b": "flux-2-max", "image_a": "a", "image_b": "b"}
    return row | {"votes": json.dumps(listed) if text else listed}


@pytest.mark.parametrize("text", [True, False])
def test_votes_of_annotators_without_trust_do_not_count(tmp_path: Path, *, text: bool) -> None:
    row = datapoint(("model_a", 0.9, "ann"), ("model_b", 0.2, "ben"), ("model_a", 0.0, "cat"), text=text)
    (tmp_path / "votes.jsonl").write_text(json.dumps(row))
    votes = read_votes(tmp_path / "votes.jsonl")
    assert [dict(vote.gates) for vote in votes] == [{"trust": "ok"}, {"trust": "ok"}, {"trust": "failed"}]
    assert clean(votes, kind="human").reasons == {"gate": 1}


def hpd(folder: Path, rows: list[dict[str, Any]], *names: str) -> Path:
    """A list of HPDv2, in one line as published, with its pictures."""
    (folder / "train").mkdir(parents=True)
    for place, name in enumerate(names):
        (folder / "train" / name).write_bytes(png(60 * place))
    file = folder / "train.json"
    file.write_text(json.dumps(rows))
    return file


def test_hpd_s_training_pairs_are_imported_with_their_pictures(tmp_path: Path, there: Place) -> None:
    rows = [{"prompt": "a cat", "file_path": ["a.jpg", "b.jpg"], "human_preference": [0, 1]}]
    store, pictures = there
    assert import_votes(hpd(tmp_path / "hpd", rows, "a.jpg", "b.jpg"), store, pictures).new == 1
    (vote,) = store.votes()
    assert vote.choice == "right"
    assert pictures.get(vote.battle.pair.entries[1].picture) == png(60)


def test_hpd_s_rankings_are_a_vote_on_every_pair_by_every_annotator(tmp_path: Path) -> None:
    annotations = [{"rank": [1, 2, 3], "user_hash": "u1"}, {"rank": [2, 1, 1], "user_hash": "u2"}]
    row = {"prompt": "a cat", "image_path": ["a", "b", "c"], "rank": [1, 1, 2], "raw_annotations": annotations}
    file = tmp_path / "test.json"
    file.write_text(json.dumps([row]))
    votes = read_votes(file)
    assert Counter(vote.choice for vote in votes) == {"left": 3, "right": 2, "tie": 1}
    assert len({vote.battle.voter for vote in votes}) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (rapidata(detailed_results="[{"), "its votes are not valid JSON"),
        (rapidata(detailed_results="{}"), "its votes are not a list"),
        (rapidata(detailed_results='["a"]'), "a vote in it is not an object"),
        (rapidata(detailed_results="[{}]"), "a vote in it has no choice"),
        (rapidata(detailed_results=None, votes_image1=-1), "votes_image1 must be a whole number"),
        (rapidata(detailed_results=None, votes_image1=10**9), "10,000 are the most"),
        (rapidata(model2=None), "it does not name two models"),
        (rapidata(prompt=None), "it has no prompt"),
        (rapidata(prompt="a\0cat"), "the prompt of pair"),
    ],
)
def test_a_broken_row_is_named_by_its_number(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    rejects = Rejects()
    plain = [
        {
            name: cell
            for name, cell in each.items()
            if not name.endswith(("1", "2")) or "votes" in name or "model" in name
        }
        for each in (rapidata(1), row, rapidata(2))
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, plain)))
    assert choices(tmp_path / "a.jsonl", rejects) == {"left": 4, "right": 2}
    (skipped,) = rejects.skipped
    assert skipped.row == 2
    assert reason in skipped.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"file_path": ["a.jpg", "../secret.jpg"]}, "its picture ../secret.jpg is not beside the file"),
        ({"file_path": ["a.jpg", "/etc/hostname"]}, "its picture /etc/hostname is not beside the file"),
        ({"file_path": ["a.jpg"]}, "does not name two pictures"),
        ({"human_preference": [1, 1]}, "human_preference must be 1 for one picture"),
    ],
)
def test_a_list_of_files_reads_nothing_elsewhere(
    tmp_path: Path, there: Place, change: dict[str, Any], reason: str
) -> None:
    good = {"prompt": "a cat", "file_path": ["a.jpg", "b.jpg"], "human_preference": [0, 1]}
    file = hpd(tmp_path / "hpd", [good, good | change], "a.jpg", "b.jpg")
    (tmp_path / "secret.jpg").write_bytes(png(9))
    done = import_votes(file, *there)
    assert done.votes == 1
    assert [(each.row, reason in each.reason) for each in done.skipped] == [(2, True)]


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv"])
def test_a_large_file_is_not_held_in_memory(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"large.{ending}"
    row = {"prompt": "x" * 900, "file_path": ["a.jpg", "b.jpg"], "human_preference": [0, 1]}
    with file.open("w") as opened:
        if ending == "csv":
            opened.write("model_a,model_b,winner,prompt\n")
        for number in range(20_000):
            line = f"a,b,tie,{'x' * 900}\n" if ending == "csv" else json.dumps(row) + ("" if ending == "json" else "\n")
            opened.write(("[" if not number else ",") + line if ending == "json" else line)
        opened.write("]" if ending == "json" else "")
    (shard,) = shards(file)
    tracemalloc.start()
    assert sum(1 for _ in shard.text_rows()) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6 < file.stat().st_size / 4
