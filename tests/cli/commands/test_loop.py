"""`reward`, `feedback` and `loop`, on the family that is shipped: votes become a contestant, once."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hypersd.arena.store.store import Store
from hypersd.feedback.loop.results import VotesResult
from hypersd.feedback.loop.round_stages import BATTLES, BESIDE, CONTESTANT, FEEDBACK, STAGES, VOTES
from hypersd.feedback.loop.rounds import Round, rounds
from hypersd.models.registered import registered_models
from tests.cli.conftest import Call, Result


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of these tests."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _own_data(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERSD_DATA", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)


def go(call: Call, out: Path) -> Result:
    words = ("--votes", "simulate", "--model", "turbo", "--rounds", "1", "--beside", "dpo", "--shorten", "0.01")
    return call("loop", *words, "--out", out, "--json")


def test_a_round_goes_from_votes_to_a_contestant_and_is_not_done_twice(call: Call, home: Path) -> None:
    out = home / "loop"
    (document,) = go(call, out).document
    (round_,) = rounds(out)
    assert round_.stage is None, "every stage is done"
    name = document["contestant"]
    contestant, beside = round_.result(CONTESTANT), round_.result(BESIDE)
    assert contestant.entered
    for each in (contestant, beside):
        assert each.entered is any(adapter.weight for adapter in each.adapters)
    methods = {
        registered_model.name: registered_model.lineage["method"]
        for registered_model in registered_models(home / "contestants")
    }
    assert methods == {each.name: each.method for each in (contestant, beside) if each.entered}
    assert name in {model["name"] for model in call("models", "--json").document["models"]}
    report = (round_.folder / "report.md").read_text(encoding="utf-8")
    assert "No person voted" in report
    assert name in report
    assert re.search(r"It took \d+\.\d minutes with \d+ threads: votes \d", report)
    assert f"`{beside.name}` was made from `turbo` too" in report
    for file in ("before.webp", "after.webp"):
        with Image.open(round_.folder / file) as picture:
            assert picture.size == (6 * 128, 3 * 128)
    assert set(round_.result(BATTLES).steps) == {1, 2, 4}
    assert set(document["wins"]) == {"1", "2", "4"}
    learned = voters(round_.folder / "training-votes")
    assert learned
    assert drawn_models(round_.folder / "training-votes") == {"hyper", "lightning", "turbo"}, "no base, no variants"
    fought = ["battles", *(["dpo-against-untuned", "dpo-against-tuned"] if beside.entered else [])]
    for folder in fought:
        judged = voters(round_.folder / folder)
        assert judged
        assert not learned & judged, "who judges has not been learned from"
    votes = round_.result(VOTES).data
    assert {registered_model.lineage["votes"] for registered_model in registered_models(home / "contestants")} == {
        votes
    }
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.json")}
    assert go(call, out).document == [document]
    assert before == {file: file.stat().st_mtime_ns for file in out.rglob("*.json")}
    done = round_.done(FEEDBACK)
    (round_.folder / "feedback.json").unlink()
    assert go(call, out).document == [document]
    assert round_.done(FEEDBACK) == done, "a stage that is done again finds what it had made"
    drawn = call("compare", "a big cat on a blue background", "--models", name, "--out", home / "drawn", "--json")
    assert drawn.document["runs"][0]["model"] == name


def drawn_models(folder: Path) -> set[str]:
    store = Store(f"sqlite:///{folder}/votes.sqlite")
    models = {entry.contestant.model for pair in store.pairs.select() for entry in pair.entries}
    store.engine.dispose()
    return models


def voters(folder: Path) -> set[str]:
    store = Store(f"sqlite:///{folder}/votes.sqlite")
    names = {vote.battle.voter for vote in store.votes()}
    store.engine.dispose()
    return names


def test_a_reward_model_is_made_of_an_export_and_scores_files(
    call: Call, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    votes = home / "loop" / "round-1" / "training-votes"
    assert votes.is_dir(), "the test before this one simulates votes"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{votes}/votes.sqlite")
    monkeypatch.setenv("HYPERSD_PICTURES", str(votes / "pictures"))
    export = tmp_path / "export"
    assert call("votes", "export", "--format", "arena", "--kind", "simulated", "--out", export).status == 0
    trained = call("reward", "train", "--votes", export, "--out", tmp_path / "reward", "--no-curve", "--json")
    assert trained.status == 0, trained.err
    last: dict[str, Any] = json.loads(trained.out.splitlines()[-1])
    assert last["kind"] == "simulated"
    assert last["accuracy"] > 0.5, "a few dozen pairs teach a little"
    assert last["accuracy_interval"][0] < last["accuracy"] < last["accuracy_interval"][1] + 1e-9
    clean = call("compare", "a big cat on a blue background", "--models", "base", "--out", tmp_path / "drawn")
    assert clean.status == 0
    good = tmp_path / "drawn" / "base.png"
    Image.new("RGB", (128, 128), "white").save(tmp_path / "drawn" / "blank.png")
    words = ("--reward", tmp_path / "reward", "--prompt", "a big cat on a blue background", "--json")
    scores = call("reward", "score", good, tmp_path / "drawn" / "blank.png", *words).document
    assert [Path(row["file"]).name for row in scores] == ["base.png", "blank.png"], "best first"
    out = tmp_path / "evaluated"
    rows = call(
        "evaluate",
        "--models",
        "turbo",
        "--steps",
        "1",
        "--count",
        "2",
        "--reward",
        tmp_path / "reward",
        "--out",
        out,
        "--json",
    ).document["rows"]
    assert isinstance(rows[0]["reward"], float)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("reward", "train", "--votes", "nowhere", "--out", "x"), "nowhere"),
        (("reward", "train", "--out", "x"), "no human votes"),
        (("reward", "train", "--family", "sdxl", "--out", "x"), "--backbone"),
        (("reward", "train", "--backbone", "nowhere/foo", "--out", "x"), "nowhere/foo"),
        (("reward", "train", "--backbone", "a/b/c", "--out", "x"), "there is no folder a/b/c"),
        (("reward", "score", "nothing.png", "--reward", "x", "--prompt", "a cat"), "no picture there"),
        (("feedback", "--reward", "nowhere", "--out", "x"), "no reward model in nowhere"),
        (("feedback", "--reward", "x", "--family", "sdxl", "--out", "x"), "hyper of sdxl cannot be tuned here"),
        (("feedback", "--reward", "x", "--votes", "y", "--out", "x"), "--method dpo"),
        (("feedback", "--reward", "x", "--adapter", "gone.safetensors", "--out", "x"), "gone.safetensors"),
        (("feedback", "--reward", "x", "--model", "base", "--out", "x"), "no adapter"),
        (("feedback", "--reward", "x", "--enter", "turbo", "--out", "x"), "there is a model turbo already"),
        (("feedback", "--reward", "x", "--enter", "My Hyper", "--out", "x"), "cannot be a name"),
        (("loop", "--votes", "nowhere", "--out", "x"), "nowhere"),
        (("loop", "--votes", "simulate", "--model", "magic", "--out", "x"), "magic"),
        (("loop", "--votes", "simulate", "--rounds", "0", "--out", "x"), "rounds"),
        (("loop", "--votes", "simulate", "--beside", "refl", "--out", "x"), "name the other one"),
        (("loop", "--votes", "simulate", "--family", "sd15", "--out", "x"), "cannot run the loop"),
    ],
)
def test_bad_input_gets_one_line(
    call: Call, words: tuple[str, ...], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))
    assert complaint in call(*words).complaint


def votes_result(votes: int) -> VotesResult:
    return VotesResult(kind="simulated", data="1234", votes=votes, voters=1)


def test_a_damaged_stage_is_named(tmp_path: Path) -> None:
    round_ = Round(1, tmp_path / "round-1")
    assert round_.stage == STAGES[0]
    assert round_.do(VOTES, lambda: votes_result(3)) == votes_result(3)
    assert round_.do(VOTES, lambda: votes_result(4)) == votes_result(3), "what is done stays"
    assert round_.stage == STAGES[1]
    for text in ("{", "{}", "[]", '{"kind": "people", "data": "", "votes": 3, "voters": 1}'):
        (round_.folder / "votes.json").write_text(text)
        with pytest.raises(ValueError, match=r"votes\.json is damaged"):
            round_.done(VOTES)


def test_what_a_stage_took_is_kept_also_when_it_was_broken_off(tmp_path: Path) -> None:
    round_ = Round(1, tmp_path / "round-1")

    def broken() -> VotesResult:
        time.sleep(0.2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        round_.do(VOTES, broken)
    first = round_.seconds()["votes"]
    assert first >= 0.2
    assert round_.done(VOTES) is None
    round_.do(VOTES, lambda: time.sleep(0.2) or votes_result(3))
    assert round_.seconds()["votes"] >= first + 0.2
    round_.do(VOTES, lambda: votes_result(4))
    round_.do(BESIDE, lambda: None)
    assert list(round_.seconds()) == ["votes", "beside"]
    (round_.folder / "seconds.json").write_text("{")
    with pytest.raises(ValueError, match=r"seconds\.json is damaged"):
        round_.seconds()
