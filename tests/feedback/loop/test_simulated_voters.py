"""Simulated voters of the loop."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from PIL import Image

from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.pool import shuffle_tiles
from hypersd.arena.service.simulation import SimulatedVoters
from hypersd.arena.votes.battle import Contestant, Entry
from hypersd.emoji.captions import caption
from hypersd.emoji.sprite_judge import SpriteJudge
from hypersd.emoji.world import World, render, sample_scene
from hypersd.feedback.loop.head_to_head import open_folder
from hypersd.feedback.loop.simulated_voters import TASTES, few_step_contestants
from hypersd.models.families.embedded import FOLDER


def test_simulated_voters_see_few_steps_and_nothing_of_another_loop() -> None:
    names = [("base", 25), ("hyper", 1), ("hyper", 8), ("hyper-mine-r1", 4), ("hyper-other-r1", 4)]
    able = [Contestant(family="emoji", model=name, steps=steps) for name, steps in names]
    drawn = few_step_contestants(able, {"hyper-other-r1"})
    assert [(one.model, one.steps) for one in drawn] == [("hyper", 1), ("hyper", 8), ("hyper-mine-r1", 4)]


def test_no_taste_prefers_a_spoiled_picture(tmp_path: Path) -> None:
    store, pictures = open_folder(tmp_path)
    world = World.load(FOLDER)
    judge = SpriteJudge(world)
    voters = SimulatedVoters(
        service=BattleService(store),
        pictures=pictures,
        scorer=lambda picture, prompt: judge.score(np.asarray(picture), prompt).match,
        tastes=list(TASTES.values()),
        rng=random.Random(0),
    )
    rng, hyper = np.random.default_rng(1), Contestant("emoji", "hyper", 4)
    for scene in (sample_scene(world, rng) for _ in range(12)):
        clean = Image.fromarray(render(world, scene))
        clean_entry, other = (
            Entry(contestant=hyper, picture=pictures.put(each), seconds=0, calls=4, version="1")
            for each in (clean, shuffle_tiles(clean))
        )
        for name, taste in TASTES.items():
            gap = voters.utility(taste, caption(scene), clean_entry) - voters.utility(taste, caption(scene), other)
            assert gap > 4 * taste.noise, f"voters who like it {name} would be taken for cheaters"
    store.engine.dispose()
