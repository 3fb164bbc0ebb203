"""Declared studies that the arena offers, and their descriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.pages.results.study_table import study_rows
from app.services.arena import Arena, open_arena
from app.services.engines import EngineManager
from app.services.open_studies import OpenStudies, read_studies
from app.services.settings import AppSettings
from hypersd.arena.service.vote_rules import VoteRejected
from hypersd.arena.storage import StorageConfig
from hypersd.arena.votes.battle import Client, Contestant
from hypersd.models.registry import FAMILIES
from tests.arena.conftest import entry, pair
from tests.families import machine

HYPER, BASE, LOST = "emoji/hyper@4", "emoji/base@25", "emoji/perflow@4"


def declare(folder: Path, name: str, *rivals: str, **changes: Any) -> None:
    rows = [{"ours": HYPER, "rival": rival, "paper": 75.8} for rival in rivals]
    good = {"title": f"<{name}>", "prompts": "emoji-v1", "votes": 2, "ties": False, "comparisons": rows}
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(good | changes))


@pytest.fixture
def arena(tmp_path: Path, emoji_folder: Path) -> Iterator[Arena]:
    """An arena on a known machine with three studies: one can run, one in part, one not at all."""
    declare(tmp_path / "studies", "all", BASE)
    declare(tmp_path / "studies", "part", BASE, LOST)
    declare(tmp_path / "studies", "none", LOST)
    settings = AppSettings(emoji=emoji_folder, storage=StorageConfig(data=tmp_path), studies=tmp_path / "studies")
    engines = EngineManager(settings.families(), "emoji")
    opened = open_arena(engines, settings)
    assert opened is not None
    engines.machine = machine(tmp_path)
    yield opened
    opened.store.engine.dispose()


def vote(arena: Arena, study: str, choice: str = "left", voter: str = "ann") -> dict[str, Any]:
    """A new pair for a study and a vote on it; the response."""
    ours, rival = (arena.pictures.put(Image.new("RGB", (8, 8), colour)) for colour in ("black", "white"))
    arena.store.pairs.add(pair(study=study, entries=(entry(HYPER, ours), entry(BASE, rival))))
    battle = arena.draw(voter, study=study)["battle"]
    arena.show(voter, battle)
    return arena.vote(voter, battle, choice, Client(decision_ms=2000))


def test_studies_of_the_family_are_read_and_damaged_ones_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    declare(tmp_path, "good", BASE)
    declare(tmp_path, "silent", BASE, prompts="nothing-v1")
    declare(tmp_path, "empty")
    declare(tmp_path, "foreign", comparisons=[{"ours": "sdxl/hyper@4", "rival": "sdxl/base@25"}])
    assert list(read_studies(tmp_path, "emoji")) == ["good"]
    assert "no set of prompts 'nothing-v1'" in caplog.text
    assert "empty.json is not a study" in caplog.text


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if len(family.specs) > 1])
def test_every_family_of_several_models_has_its_figure(family: str) -> None:
    assert list(read_studies(AppSettings().studies, family)) == [f"figure5-{family}"]


def test_a_study_hands_out_its_own_pairs_and_counts_its_own_votes(arena: Arena) -> None:
    arena.store.pairs.add(pair())
    assert arena.draw("ann", study="all") == {"battle": None, "pool": 0}
    answer = vote(arena, "all")
    assert answer["study"] == {
        "name": "all",
        "title": "<all>",
        "forced": True,
        "given": 1,
        "wanted": 2,
        "complete": 0,
        "comparisons": 1,
        "done": False,
        "problem": "",
    }
    assert [one["given"] for one in arena.progress("ben")["studies"]] == [1, 0, 0]
    assert "study" not in vote_openly(arena)


def vote_openly(arena: Arena) -> dict[str, Any]:
    battle = arena.service.custom_battle(pair(owner="ann"), "ann")
    arena.show("ann", battle.id)
    return arena.vote("ann", battle.id, "tie", Client())


def test_a_forced_choice_is_forced_by_the_server(arena: Arena) -> None:
    with pytest.raises(VoteRejected, match="must choose one"):
        vote(arena, "all", "both_bad")
    assert arena.store.count_votes() == 0
    assert vote(arena, "all", "skip")["study"]["given"] == 0


def test_a_complete_study_draws_nothing_more(arena: Arena) -> None:
    [source, *_] = arena.studies.sources(low=40)
    assert source.study == "all"
    assert source.probabilities() == {(HYPER, BASE): 1.0}
    for voter in ("ann", "ben"):
        answer = vote(arena, "all", voter=voter)
    assert answer["study"]["done"]
    assert source.probabilities() == {}
    arena.store.pairs.add(pair(study="all"))
    assert arena.draw("cyd", study="all")["battle"] is None


def test_an_unavailable_study_is_not_offered_and_has_a_reason(arena: Arena) -> None:
    with pytest.raises(VoteRejected, match="this study cannot run here: no such model"):
        arena.draw("ann", study="none")
    everything, none, part = arena.progress("ann")["studies"]
    assert (everything["problem"], part["problem"]) == ("", "")
    assert none["problem"] == "no such model at so many steps"
    assert not none["done"]
    assert arena.studies.probabilities(arena.declared["part"]) == {(HYPER, BASE): 1.0}
    for voter in ("ann", "ben"):
        answer = vote(arena, "part", voter=voter)
    assert (answer["study"]["done"], answer["study"]["complete"]) == (True, 1), "all votes that are possible here"


def test_benched_contestants_and_lost_files_are_reported(arena: Arena, tmp_path: Path) -> None:
    emoji = arena.engines.families["emoji"]
    arena.engines.families = {"emoji": replace(emoji, folder=tmp_path / "empty")}
    assert arena.studies.problem(arena.declared["all"]).startswith(f"no base model in {tmp_path}/empty")
    again = OpenStudies(arena.engines, arena.store, arena.declared)
    arena.store.bench.add(Contestant.parse(BASE), "out of memory")
    arena.engines.families = {"emoji": emoji}
    assert again.problem(arena.declared["all"]) == "out of memory"


def test_before_the_models_are_known_a_study_waits(arena: Arena) -> None:
    arena.engines.machine = None
    assert arena.studies.unable() == {}
    assert arena.draw("ann", study="none")["battle"] is None


def test_the_rows_show_the_progress_of_each_comparison(arena: Arena) -> None:
    for voter, choice in (("ann", "skip"), ("ben", "left"), ("cyd", "left")):
        vote(arena, "part", choice, voter)
    shown = "".join(study_rows(arena.studies, "human").splitlines())
    assert "<h2>&lt;part&gt;</h2><p>2 of 4 votes, 1 of 2 comparisons complete.</p>" in shown
    assert f"{HYPER} against {BASE}" in shown
    assert "<td>2 of 2</td>" in shown
    assert "75.8 %" in shown
    assert f"{LOST} cannot be drawn here: no such model" in shown
    assert "one of the two had to be chosen" in shown
    assert "<td>2 of 2</td>" not in study_rows(arena.studies, "simulated"), "kinds of voters never mix"
