"""`votes` and `rank`, on the family that is shipped and a store of the test's own."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from datasets import load_dataset

from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import now
from tests.cli.conftest import Call


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/arena.sqlite")
    monkeypatch.setenv("HYPERSD_PICTURES", str(tmp_path / "pictures"))


def test_simulated_votes_go_all_the_way_to_a_ranking(call: Call, tmp_path: Path) -> None:
    done = call("votes", "simulate", "--n", "20", "--voters", "6", "--pairs", "5", "--json").document
    assert done == {"votes": 20, "voters": 6, "kind": "simulated"}
    store = Store(f"sqlite:///{tmp_path}/arena.sqlite")
    votes = list(store.votes())
    store.engine.dispose()
    assert {vote.battle.kind for vote in votes} == {"simulated"}
    assert max(vote.voted for vote in votes) <= now(), "nobody voted in the future"
    assert min(vote.voted for vote in votes) > now() - timedelta(hours=1)
    stats = call("votes", "stats", "--kind", "simulated", "--json").document
    assert stats["votes"] == 20
    assert stats["kept"] + sum(stats["reasons"].values()) == 20
    assert "0 human votes" in call("votes", "stats").out
    assert "no human votes" in call("votes", "export", "--format", "arena", "--out", tmp_path / "human").complaint
    out = tmp_path / "simulated"
    words = ("--format", "arena", "--kind", "simulated", "--out", out, "--json")
    written = call("votes", "export", *words).document
    assert sum(written["rows"].values()) == 20
    assert load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))["kind"][0] == "simulated"
    picked = tmp_path / "picked"
    assert call("votes", "import", out, "--json").document == {
        "votes": 20,
        "new": 0,
        "skipped": [],
        "unlabelled": 0,
        "studies": {"": 20},
    }
    assert call("votes", "export", "--format", "pickapic", "--kind", "simulated", "--out", picked).status == 0
    assert call("votes", "import", picked, "--kind", "human", "--json").document["new"] == 0
    assert "count" in call("rank").complaint, "no human voted"
    again = call("rank", "--votes", out, "--kind", "simulated", "--json")
    here = call("rank", "--kind", "simulated", "--json")
    if here.status == 0:  # five pairs may leave contestants unconnected, which is then said
        assert again.document == here.document
    else:
        assert "cannot be compared" in here.complaint
        assert again.complaint == here.complaint


def test_simulated_voters_take_part_in_a_study(call: Call, tmp_path: Path) -> None:
    words = ("--n", "6", "--voters", "3", "--pairs", "5", "--study", "figure5-emoji")
    assert call("votes", "simulate", *words, "--json").document["votes"] == 6
    store = Store(f"sqlite:///{tmp_path}/arena.sqlite")
    votes = list(store.votes())
    store.engine.dispose()
    assert {(vote.battle.kind, vote.battle.pair.study) for vote in votes} == {("simulated", "figure5-emoji")}
    assert {vote.choice for vote in votes} <= {"left", "right"}
    assert {vote.battle.pair.prompt_set for vote in votes} == {"emoji-v1"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("votes", "export", "--format", "csv", "--out", "x"), "invalid choice"),
        (("votes", "simulate", "--n", "0"), "n"),
        (("votes", "simulate", "--n", "5", "--family", "sdxl"), "no judge of its own"),
        (("votes", "simulate", "--n", "5", "--study", "figure5-sdxl"), "choose from: figure5-emoji"),
        (("votes", "import", "nowhere.parquet"), "nowhere.parquet"),
        (("rank", "--votes", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_sentence(call: Call, words: tuple[str, ...], complaint: str) -> None:
    assert complaint in call(*words).complaint


@pytest.mark.parametrize("url", ["nonsense", "mysql://a/b", "postgresql://localhost:1/none"])
def test_a_store_that_cannot_be_used_is_one_sentence(call: Call, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert "DATABASE_URL" in call("votes", "stats").complaint or "SQLite" in call("votes", "stats").complaint


def test_imported_votes_are_counted_where_they_are(call: Call, tmp_path: Path) -> None:
    rows = [
        {"model_a": "PixArt", "model_b": "SDXL", "winner": "model_b" if number % 3 else "model_a", "judge": number % 9}
        for number in range(90)
    ]
    log = tmp_path / "battles.json"
    log.write_text(json.dumps([*rows, {"model_a": "PixArt", "model_b": "SDXL", "winner": "?"}]))
    done = call("votes", "import", log)
    assert "90 votes read, 90 of them new" in done.out
    assert "90 imported votes are in the study log" in done.out
    assert f"{log}, row 91 is left out: the winner must be" in done.err
    again = call("votes", "import", log, "--json").document
    assert (again["new"], [row["row"] for row in again["skipped"]]) == (0, [91])
    assert call("votes", "stats", "--json").document["studies"] == {"log": 90}
    assert "0 human votes" in (said := call("votes", "stats").out)
    assert "90 imported votes are in the study log" in said
    assert "90 imported votes are in the study log" in call("rank").complaint
    board = call("rank", "--votes", log, "--json").document
    assert [one["contestant"] for one in board["standings"]] == ["unknown/SDXL@?", "unknown/PixArt@?"]


@pytest.mark.usefixtures("tiny")
def test_an_export_says_what_it_left_out(call: Call, tmp_path: Path) -> None:
    assert call("votes", "simulate", "--n", "12", "--voters", "4", "--pairs", "3").status == 0
    store = Store(f"sqlite:///{tmp_path}/arena.sqlite")
    votes = list(store.votes())
    store.engine.dispose()
    name = votes[0].battle.pair.entries[0].picture
    (tmp_path / "pictures" / name[:2] / f"{name}.webp").unlink()
    done = call("votes", "export", "--format", "arena", "--kind", "simulated", "--out", tmp_path / "out", "--json")
    assert done.document["left_out"] + sum(done.document["rows"].values()) == len(votes)
    assert done.document["left_out"] > 0
    assert f"{done.document['left_out']:,} votes are left out, since a picture is missing or damaged" in done.err
