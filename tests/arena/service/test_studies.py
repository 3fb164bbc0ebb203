"""Declared studies: their files, their pairs and their progress."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hypersd.arena.service.studies import Study, read_prompts
from hypersd.arena.votes.battle import CHOICES, Battle, Choice, Contestant, Entry, Pair, Vote, now

FOLDER = Path(__file__).resolve().parents[3] / "assets" / "studies"


def vote(first: str, other: str, choice: Choice, *, swapped: bool = False) -> Vote:
    entries = tuple(
        Entry(contestant=Contestant.parse(label), picture=label, seconds=1.0, calls=4, version="1")
        for label in (first, other)
    )
    pair = Pair(prompt="a cat", prompt_set="emoji-v1", seed=1, entries=(entries[0], entries[1]), probability=0.5)
    battle = Battle(pair=pair, swapped=swapped, voter="v", kind="human", expires=now() + timedelta(minutes=1))
    return Vote(battle=battle, choice=choice)


@pytest.mark.parametrize("name", ["figure5-sdxl", "figure5-sd15", "figure5-emoji"])
def test_the_shipped_studies_can_be_read(name: str) -> None:
    study = Study.read(FOLDER / f"{name}.json")
    assert study.name == name
    assert not study.ties, "the paper's study forced a choice"
    assert study.choices() == ("left", "right", "skip")
    assert replace(study, ties=True).choices() == CHOICES
    assert study.family == name.partition("-")[2]
    assert len(read_prompts(study.prompts)) >= 120


def test_the_paper_s_sixteen_comparisons_are_there() -> None:
    rows = [row for name in ("figure5-sdxl", "figure5-sd15") for row in Study.read(FOLDER / f"{name}.json").comparisons]
    assert len(rows) == 16
    assert all(row.paper and 50 < row.paper < 100 for row in rows), "Hyper-SD won every comparison of Figure 5"


def test_comparisons_with_the_fewest_votes_are_drawn_most() -> None:
    study = replace(Study.read(FOLDER / "figure5-emoji.json"), votes=10)
    first, second, *_ = study.comparisons
    able = {*first.labels, *second.labels}
    counts = study.progress([vote(*first.labels, "left")] * 5)
    assert counts[first] == 5
    assert study.probabilities(counts, able) == pytest.approx({first.labels: 1 / 3, second.labels: 2 / 3})
    assert study.probabilities(dict.fromkeys(study.comparisons, 10), able) == {}
    assert study.probabilities(counts, ["emoji/base@25"]) == {}


def test_ties_and_skips_are_no_progress() -> None:
    study = Study.read(FOLDER / "figure5-emoji.json")
    row = study.comparisons[0]
    votes = [vote(*row.labels, choice) for choice in CHOICES]
    assert study.progress(votes)[row] == 2
    with pytest.raises(ValueError, match="no set of prompts 'nothing'"):
        read_prompts("nothing")


def test_shares_do_not_depend_on_side_or_order() -> None:
    study = Study.read(FOLDER / "figure5-emoji.json")
    row = study.comparisons[0]
    ours, rival = row.labels
    votes = [
        vote(ours, rival, "left"),
        vote(ours, rival, "right", swapped=True),
        vote(rival, ours, "right"),
        vote(rival, ours, "left"),
        vote(ours, rival, "skip"),
    ]
    assert study.shares(votes)[row] == (3, 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"votes": 0}, "number of votes"),
        ({"comparisons": []}, "comparisons must differ"),
        ({"comparisons": [{"ours": "hyper", "rival": "emoji/base@25"}]}, "is not a contestant"),
        ({"title": None, "comparisons": 3}, "is not a study"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, change: dict[str, object], words: str) -> None:
    good = json.loads((FOLDER / "figure5-emoji.json").read_text())
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(good | change))
    with pytest.raises(ValueError, match=words) as raised:
        Study.read(file)
    assert "broken.json" in str(raised.value)
