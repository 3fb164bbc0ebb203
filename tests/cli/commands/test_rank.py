"""`rank`, on votes whose outcome is known."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from hypersd.arena.dataset.export import export
from hypersd.arena.dataset.publish import Publisher
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Battle, Pair, Vote, now
from hypersd.arena.votes.images import ImageStore
from tests.arena.conftest import entry, pair
from tests.arena.voted import vote
from tests.cli.conftest import Call


@pytest.fixture
def pictures(tmp_path: Path) -> ImageStore:
    return ImageStore(str(tmp_path / "pictures"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/arena.sqlite"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("HYPERSD_PICTURES", str(tmp_path / "pictures"))
    store = Store(url)
    yield store
    store.engine.dispose()


def elect(store: Store, pictures: ImageStore, rounds: int, models: str = "abc") -> None:
    """In each round every pair meets once; the first in the alphabet wins three of four, on either side."""
    rng, number = random.Random(0), 0
    for turn in range(rounds):
        for better, worse in combinations(models, 2):
            wins, swapped = turn % 4 != 3, rng.random() < 0.5
            sides = (worse, better) if swapped else (better, worse)
            choice = "left" if wins != swapped else "right"
            vote(store, pictures, number, models=sides, voter=f"voter-{rng.randrange(6)}", choice=choice)
            number += 1


def store_vote(store: Store, number: int, what: Pair) -> None:
    """A vote for either side in turn, of one of six voters."""
    store.pairs.add(what)
    moment = now() + timedelta(seconds=number)
    battle = Battle(
        pair=what, swapped=number % 4 > 1, voter=f"v{number % 6}", kind="human", shown=moment, expires=moment
    )
    store.battles.add(battle)
    store.add_vote(Vote(battle=battle, choice="left" if number % 3 else "right", voted=moment))


def test_the_board_says_who_is_better_by_how_much_and_how_sure(call: Call, store: Store, pictures: ImageStore) -> None:
    elect(store, pictures, 24)
    board = call("rank", "--json").document
    assert [one["contestant"] for one in board["standings"]] == ["toy/a@1", "toy/b@1", "toy/c@1"]
    for row in board["standings"]:
        assert row["low"] < row["elo"] < row["high"]
        assert row["votes"] == 48
    assert (board["votes"], board["kept"], board["voters"]) == (72, 72, 6)
    rates = dict(zip(board["contestants"], board["win_rates"], strict=True))
    assert rates["toy/a@1"] == [None, 0.75, 0.75]
    assert rates["toy/c@1"] == [0.25, 0.25, None]
    lines = call("rank").out.splitlines()
    assert lines[0] == "72 of 72 human votes of 6 voters count."
    assert [line.split() for line in lines if line.startswith(("1 ", "3 "))][-2:] == [
        ["1", "toy/a@1", "–", "75", "75"],
        ["3", "toy/c@1", "25", "25", "–"],
    ]


def test_any_source_gives_the_same_board(call: Call, store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    elect(store, pictures, 12)
    here = call("rank", "--json").document
    export(store.votes(), pictures, "arena", tmp_path / "exported")
    assert Publisher(store, pictures, str(tmp_path / "published")).attempt()
    for source in ("exported", "published"):
        assert call("rank", "--votes", tmp_path / source, "--json").document == here


def test_simulated_votes_never_count_among_people(call: Call, store: Store, pictures: ImageStore) -> None:
    elect(store, pictures, 12)
    before = call("rank", "--json").document
    for number in range(200):
        choice = "left" if number % 3 else "right"
        vote(store, pictures, 1000 + number, "simulated", models="ca", voter=f"sim-{number % 10}", choice=choice)
    assert call("rank", "--json").document == before
    assert call("rank", "--kind", "simulated", "--json").document["standings"][0]["contestant"] == "toy/c@1"


def test_contestants_that_votes_do_not_connect_are_not_yet_comparable(
    call: Call, store: Store, pictures: ImageStore
) -> None:
    elect(store, pictures, 32, "ab")
    elect(store, pictures, 1, "cd")
    board = call("rank", "--json").document
    assert [one["contestant"] for one in board["standings"]] == ["toy/a@1", "toy/b@1"]
    assert board["apart"] == [["toy/c@1", "toy/d@1"]]
    assert "Not yet comparable, since no votes connect them with those above: toy/c@1, toy/d@1." in call("rank").out


def test_each_family_is_ranked_by_itself(call: Call, store: Store, pictures: ImageStore) -> None:
    for family in ("csv", "toy"):
        for number in range(32):
            entries = tuple(entry(f"{family}/{name}@1", f"{name}{number:063}") for name in "ab")
            store_vote(store, number, pair(entries=entries, prompt_set=family, study="s" if number > 29 else None))
    families = call("rank", "--json").document["families"]
    assert {name: [one["contestant"] for one in board["standings"]] for name, board in families.items()} == {
        "csv": ["csv/a@1", "csv/b@1"],
        "toy": ["toy/a@1", "toy/b@1"],
    }
    assert call("rank").out.count("30 of 30 human votes") == 2
    assert call("rank", "--family", "toy", "--json").document == families["toy"]
    assert call("rank", "--prompts", "csv", "--json").document == families["csv"]
    assert call("rank", "--study", "s", "--family", "toy", "--json").document["votes"] == 2
    for option, known in (("--family", "csv, toy"), ("--study", "s"), ("--prompts", "csv, toy")):
        complaint = call("rank", option, "other").complaint
        assert option in complaint
        assert known in complaint


def test_prompts_can_be_those_of_a_file(call: Call, store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    elect(store, pictures, 12)
    (tmp_path / "some.txt").write_text("prompt 1\nprompt 2\nprompt 5\n")
    assert call("rank", "--prompts", tmp_path / "some.txt", "--json").document["votes"] == 3


def test_families_that_were_compared_share_a_board(call: Call, store: Store, pictures: ImageStore) -> None:
    for number in range(32):
        entries = (entry("csv/a@1", f"{number:064}"), entry("toy/a@1", f"{number:063}x"))
        store_vote(store, number, pair(entries=entries))
    assert len(call("rank", "--json").document["standings"]) == 2


def test_ties_alone_are_equal_strengths(call: Call, store: Store, pictures: ImageStore) -> None:
    for number in range(64):
        vote(store, pictures, number, models=("ab", "bc")[number % 2], voter=f"v{number % 8}", choice="tie")
    for row in call("rank", "--json").document["standings"]:
        assert row["elo"] == pytest.approx(1000)
        assert (row["rank"], row["rank_low"], row["rank_high"]) == (1, 1, 3)


def test_one_voter_gives_strengths_and_a_sentence(call: Call, store: Store, pictures: ImageStore) -> None:
    for number in range(30):  # more would be a burst
        choice = "left" if number % 2 == (number % 8 > 0) else "right"
        vote(store, pictures, number, models=("ab", "ba")[number % 2], voter="ann", choice=choice)
    board = call("rank", "--json").document
    assert board["intervals"] == "model"
    assert board["influence"] is None
    assert len(board["standings"]) == 2
    assert not any(one["settled"] for one in board["decisions"])
    assert "cannot be clustered by voter" in call("rank").out


def test_half_wins_are_lmarena_s_scale(call: Call, store: Store, pictures: ImageStore) -> None:
    """Of 40 wins, 8 losses and 48 ties, 64 of 96 are won with ties as halves: 400·log10(64/32), less the prior."""
    for number in range(96):
        choice = "tie" if number % 2 else ("left" if number % 12 else "right")
        swapped = number % 4 > 1
        models, mirror = ("ba" if swapped else "ab"), {"left": "right", "right": "left", "tie": "tie"}
        vote(store, pictures, number, models=models, voter=f"v{number}", choice=mirror[choice] if swapped else choice)
    half, davidson = (call("rank", "--ties", ties, "--json").document["standings"] for ties in ("half", "davidson"))
    assert half[0]["elo"] - half[1]["elo"] == pytest.approx(400 * np.log10(64 / 32), rel=0.05)
    assert davidson[0]["elo"] - davidson[1]["elo"] > half[0]["elo"] - half[1]["elo"]


def test_few_votes_are_said_to_be_few(call: Call, store: Store, pictures: ImageStore) -> None:
    elect(store, pictures, 8)
    text = call("rank").out
    assert "Not shown: 3 of 3 contestants, with fewer than 30 votes each." in text


def test_no_votes_are_one_sentence(call: Call, store: Store) -> None:
    assert "0 human votes" in call("rank").complaint


def test_a_foreign_file_is_one_sentence(call: Call, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    assert "x.parquet is damaged" in call("rank", "--votes", tmp_path / "x.parquet").complaint
