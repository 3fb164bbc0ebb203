"""Simulated voters: they follow their taste and are marked as simulated."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.simulation import (
    SimulatedClock,
    SimulatedVoters,
    Taste,
    colourfulness,
    population,
    sharpness,
)
from hypersd.arena.service.vote_rules import BattlePolicy
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant, Entry, Pair, now
from hypersd.arena.votes.images import ImageStore


def picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((32, 32), Image.Resampling.NEAREST)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite is enough here: the store itself is tested on both databases."""
    return f"sqlite:///{tmp_path}/arena.sqlite"


def fill(store: Store, pictures: ImageStore, count: int, study: str | None = None) -> None:
    """Pairs of a picture and its blurred copy, under three contestants' names."""
    sharp, soft, grey = (Contestant("toy", name, 1) for name in ("sharp", "soft", "grey"))
    for seed in range(count):
        plain = picture(seed)
        drawn = {
            sharp: plain,
            soft: plain.filter(ImageFilter.GaussianBlur(3)),
            grey: plain.convert("L").convert("RGB"),
        }
        chosen = [(sharp, soft), (sharp, grey), (grey, soft)][seed % 3]
        left, other = (
            Entry(contestant=who, picture=pictures.put(drawn[who]), seconds=0.1, calls=1, version="1") for who in chosen
        )
        prompt = {"prompt": f"prompt {seed}", "prompt_set": "toy", "seed": seed}
        store.pairs.add(Pair(**prompt, entries=(left, other), probability=1 / 3, study=study))


def simulated_voters(store: Store, pictures: ImageStore, tastes: list[Taste], seed: int = 0) -> SimulatedVoters:
    rng = random.Random(seed)
    plain = BattlePolicy(gold_share=0, first_gold=0, repeat_share=0.05)
    return SimulatedVoters(
        service=BattleService(store, plain, rng=rng, clock=SimulatedClock(now())),
        pictures=pictures,
        scorer=lambda _picture, _prompt: 0.5,
        tastes=tastes,
        rng=rng,
    )


def test_measures_of_pictures() -> None:
    plain = picture(0)
    assert sharpness(plain) > 2 * sharpness(plain.filter(ImageFilter.GaussianBlur(2)))
    assert colourfulness(plain.convert("L")) == 0
    assert colourfulness(plain) > 0.2


@pytest.mark.parametrize(
    ("taste", "best", "worst"),
    [
        (Taste(alignment=0, sharpness=5, colour=0, left=0), "toy/sharp@1", "toy/soft@1"),
        (Taste(alignment=0, sharpness=-5, colour=0, left=0), "toy/soft@1", None),
        (Taste(alignment=0, sharpness=0, colour=-20, left=0), "toy/grey@1", None),
    ],
)
def test_the_ranking_shows_the_voters_taste(
    store: Store, pictures: ImageStore, taste: Taste, best: str, worst: str | None
) -> None:
    fill(store, pictures, 30)
    assert simulated_voters(store, pictures, [taste] * 12).vote(300) == 300
    leaderboard = compute_leaderboard(store.votes(), kind="simulated")
    assert leaderboard.problem == ""
    assert leaderboard.standings[0].contestant == best
    assert worst in {None, leaderboard.standings[-1].contestant}
    assert compute_leaderboard(store.votes()).votes == 0, "no human ranking counts them"


def test_cheaters_are_found(store: Store, pictures: ImageStore) -> None:
    fill(store, pictures, 60)
    honest = Taste(alignment=0, sharpness=5, colour=0)
    voters = simulated_voters(store, pictures, [honest, Taste(cheat="left"), Taste(cheat="hasty")])
    voters.vote(150)
    leaderboard = compute_leaderboard(store.votes(), kind="simulated")
    assert leaderboard.reasons["one-sided"] > 30
    assert leaderboard.reasons["too fast"] > 30
    assert {vote.battle.kind for vote in store.votes()} == {"simulated"}
    assert leaderboard.self_agreement is not None


def test_partisans_always_take_their_favourite(store: Store, pictures: ImageStore) -> None:
    fill(store, pictures, 30)
    honest = Taste(alignment=0, sharpness=5, colour=0, left=0)
    partisan = Taste(cheat="partisan", favourite="toy/soft@1")
    simulated_voters(store, pictures, [honest] * 5 + [partisan]).vote(180)
    took: dict[bool, list[bool]] = {True: [], False: []}
    for vote in store.votes():
        winner = vote.winner and vote.winner.contestant.label
        if "toy/soft@1" in {entry.contestant.label for entry in vote.battle.pair.entries}:
            took[vote.battle.voter == "simulated-0005"].append(winner == "toy/soft@1")
    assert len(took[True]) > 10
    assert all(took[True])
    assert sum(took[False]) < 0.2 * len(took[False])


def test_in_a_forced_study_everybody_chooses(store: Store, pictures: ImageStore) -> None:
    fill(store, pictures, 20, study="forced")
    undecided = Taste(alignment=0, sharpness=0, colour=0, left=0, noise=0.01, tie_below=1.0)
    voters = simulated_voters(store, pictures, [undecided, replace(undecided, bad_below=0.9)])
    free = [voters.choose(taste, "a cat", *store.pairs.select()[0].entries) for taste in voters.tastes]
    assert free == ["tie", "both_bad"]
    service = replace(voters.service, choices={"forced": ("left", "right", "skip")})
    assert replace(voters, service=service).vote(30, "forced") == 30
    votes = list(store.votes())
    assert {vote.choice for vote in votes} == {"left", "right"}
    assert compute_leaderboard(votes, kind="simulated").votes == 0, "votes in a study are not in the open arena"


def test_a_voter_who_likes_sharpness_prefers_the_sharper(store: Store, pictures: ImageStore) -> None:
    """In single pairs, not only in the ranking."""
    fill(store, pictures, 30)
    simulated_voters(store, pictures, [Taste(alignment=0, sharpness=6, colour=0, left=0, noise=0.3)]).vote(30)
    decided = [vote for vote in store.votes() if vote.winner]
    right = [
        vote.winner is max(vote.battle.sides, key=lambda entry: sharpness(pictures.open(entry.picture)))
        for vote in decided
    ]
    assert len(decided) >= 15
    assert sum(right) >= 0.8 * len(right)


def test_a_side_bias_can_be_measured(store: Store, pictures: ImageStore) -> None:
    fill(store, pictures, 60)
    simulated_voters(store, pictures, [Taste(alignment=0, sharpness=0, colour=0, left=1.0, noise=1.0)] * 5).vote(300)
    share = compute_leaderboard(store.votes(), kind="simulated").left_share
    assert share is not None
    assert share.low > 0.6


def test_the_same_seed_votes_the_same(pictures: ImageStore, tmp_path: Path) -> None:
    histories: list[list[tuple[object, ...]]] = []
    for run, seed in enumerate((3, 3, 4)):
        store = Store(f"sqlite:///{tmp_path}/run-{run}.sqlite")
        fill(store, pictures, 20)
        rng = random.Random(seed)
        simulated_voters(store, pictures, population(4, rng, 0.3, ["toy/grey@1"]), seed).vote(60)
        histories.append(
            [
                (vote.battle.voter, vote.battle.pair.seed, vote.battle.swapped, vote.battle.purpose, vote.choice)
                for vote in store.votes()
            ]
        )
        store.engine.dispose()
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]


def test_an_empty_pool_ends_the_voting(store: Store, pictures: ImageStore) -> None:
    fill(store, pictures, 3)
    assert simulated_voters(store, pictures, [Taste()]).vote(50) == 3


def test_a_population_is_repeatable_and_has_cheaters() -> None:
    first, other = (population(200, random.Random(7)) for _ in range(2))
    assert first == other
    assert 5 <= sum(bool(taste.cheat) for taste in first) <= 40
