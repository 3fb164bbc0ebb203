"""Rendered scenes as what pictures are measured against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hypersd.emoji.prompt_scenes import rendered
from hypersd.emoji.prompts import held_out_prompts
from hypersd.emoji.sprite_judge import SpriteJudge
from hypersd.emoji.world import World
from hypersd.evaluate.clip_score import ClipScore
from hypersd.evaluate.reference import Reference, Scenes


@pytest.fixture(scope="module")
def clip(root: Path) -> ClipScore:
    return ClipScore.of(root / "assets" / "emoji-xl" / "clip")


@pytest.fixture(scope="module")
def reference(world: World, clip: ClipScore) -> Reference:
    return Reference(scenes_of(world, held_out_prompts(world, 24)), 24, clip, least=150)


def scenes_of(world: World, prompts: list[str]) -> Scenes:
    return lambda count, seed: rendered(world, prompts, count, 128, seed)


def test_scenes_show_what_the_prompts_say_each_time_elsewhere(world: World, judge: SpriteJudge) -> None:
    prompts = [*held_out_prompts(world, 3), "fox on blue"]
    pictures = list(rendered(world, prompts, 10, 128))
    assert len(pictures) == 10
    for number, picture in enumerate(pictures):
        verdict = judge.score(picture, prompts[number % 4])
        assert verdict.objects
        assert verdict.background
    assert not np.array_equal(pictures[0], pictures[4])
    again = list(rendered(world, prompts, 10, 128))
    assert all(np.array_equal(one, other) for one, other in zip(pictures, again, strict=True))


def test_every_prompt_has_as_many_scenes(reference: Reference) -> None:
    assert reference.scenes == 168


def test_spoilt_pictures_are_further_away_than_the_floor(world: World, clip: ClipScore, reference: Reference) -> None:
    prompts = held_out_prompts(world, 24)
    scenes = list(rendered(world, prompts, 48, 128, seed=7))
    fine = reference.distance(clip.embed(scenes))
    floor = reference.floor(48)
    assert floor == reference.floor(48) > 0
    assert 0.5 < fine / floor < 2
    noise = np.random.default_rng(0).normal(0, 40, size=(48, 128, 128, 3))
    spoilt = [np.clip(one + other, 0, 255).astype(np.uint8) for one, other in zip(scenes, noise, strict=True)]
    assert reference.distance(clip.embed(spoilt)) > 3 * floor


def test_unfit_input_is_refused(world: World, clip: ClipScore, reference: Reference) -> None:
    with pytest.raises(ValueError, match="no prompts"):
        Reference(scenes_of(world, []), 0, clip)
    with pytest.raises(ValueError, match="cannot render 'the sea'"):
        list(rendered(world, ["the sea"], 1, 128))
    with pytest.raises(ValueError, match="at least 32"):
        reference.floor(8)
