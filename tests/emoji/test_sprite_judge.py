"""The judge on true scenes, on spoilt ones, and on captions that belong to other pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hypersd.emoji.captions import caption
from hypersd.emoji.sprite_judge import PromptMatch, SpriteJudge
from hypersd.emoji.world import Pixels, Placed, Scene, World, box, render


@pytest.fixture(scope="module")
def verdicts(judge: SpriteJudge, scenes: list[Scene], pictures: list[Pixels]) -> list[PromptMatch]:
    return [judge.score(picture, caption(scene)) for picture, scene in zip(pictures, scenes, strict=True)]


def scene_of(name: str, background: str, size: float = 0.68) -> Scene:
    return Scene(objects=(Placed(name=name, x=0.5, y=0.5, size=size),), background=background, size="big")


def noisy(picture: Pixels, deviation: float) -> Pixels:
    noise = np.random.default_rng(1).normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).round().astype(np.uint8)


def blurred(picture: Pixels, deviation: float) -> Pixels:
    return gaussian_filter(picture.astype(np.float32), (deviation, deviation, 0)).round().astype(np.uint8)


def test_true_scenes_are_read_right(verdicts: list[PromptMatch]) -> None:
    assert len(verdicts) == 100
    for kind in ("single", "pair"):
        assert np.mean([verdict.objects for verdict in verdicts if verdict.kind == kind]) >= 0.98
    assert np.mean([verdict.background for verdict in verdicts]) >= 0.98
    assert np.mean([verdict.match for verdict in verdicts]) >= 0.98
    assert min(verdict.match for verdict in verdicts) >= 0.97


def test_objects_are_found_where_they_are(judge: SpriteJudge, scenes: list[Scene], pictures: list[Pixels]) -> None:
    for scene, picture in zip(scenes[:30], pictures[:30], strict=True):
        objects = judge.detect(picture).objects
        assert [placed.name for placed in objects] == [placed.name for placed in scene.objects]
        for placed, true in zip(objects, scene.objects, strict=True):
            assert np.abs(np.subtract(box(placed, 128), box(true, 128))).max() <= 1


def test_captions_of_other_pictures_are_near_chance(
    judge: SpriteJudge, scenes: list[Scene], pictures: list[Pixels], world: World
) -> None:
    order = np.random.default_rng(3).permutation(100)
    shuffled = [judge.score(pictures[place], scenes[other]) for place, other in enumerate(order)]
    ground = 1 / len(world.backgrounds)
    by_chance = ground + 4 * math.sqrt(ground * (1 - ground) / len(order))
    assert np.mean([verdict.background for verdict in shuffled]) <= by_chance
    single = 1 / len(world.objects)
    assert np.mean([verdict.objects for verdict in shuffled]) <= single + 4 * math.sqrt(single / len(order))


@pytest.mark.parametrize("spoil", ["noise", "blur", "background"])
def test_somewhat_spoilt_scenes_are_still_read_right(
    judge: SpriteJudge, scenes: list[Scene], world: World, spoil: str
) -> None:
    right = 0
    chosen = scenes[:40]
    for scene in chosen:
        picture = render(world, scene)
        if spoil == "noise":
            picture = noisy(picture, 10)
        elif spoil == "blur":
            picture = blurred(picture, 1)
        else:
            red, green, blue = world.backgrounds[scene.background]
            off = {**world.backgrounds, scene.background: (max(red - 12, 0), min(green + 12, 255), max(blue - 12, 0))}
            picture = render(replace(world, backgrounds=off), scene)
        verdict = judge.score(picture, scene)
        right += verdict.objects and verdict.background
    assert right >= 39


@pytest.mark.parametrize(
    ("name", "background"),
    [
        ("ghost", "white"),
        ("cloud", "white"),
        ("snowman", "white"),
        ("star", "yellow"),
        ("cheese", "yellow"),
        ("frog", "green"),
        ("strawberry", "red"),
        ("apple", "red"),
        ("heart", "red"),
        ("camera", "black"),
        ("elephant", "gray"),
        ("koala", "gray"),
        ("pig", "pink"),
        ("car", "red"),
        ("bus", "orange"),
        ("cat", "yellow"),
        ("dog", "orange"),
    ],
)
def test_colours_close_to_the_background_and_twins(
    judge: SpriteJudge, world: World, name: str, background: str
) -> None:
    for size in (0.36, 0.68):
        picture = render(world, scene_of(name, background, size))
        for spoilt in (picture, noisy(picture, 6)):
            finding = judge.detect(spoilt)
            assert ([placed.name for placed in finding.objects], finding.background) == ([name], background)


def test_the_order_of_a_pair_matters(judge: SpriteJudge, scenes: list[Scene], pictures: list[Pixels]) -> None:
    number = next(number for number, scene in enumerate(scenes) if scene.size == "pair")
    scene = scenes[number]
    assert judge.score(pictures[number], scene).objects
    assert not judge.score(pictures[number], replace(scene, objects=scene.objects[::-1])).objects


def test_a_second_object_is_a_mistake(judge: SpriteJudge, world: World) -> None:
    fox, key = (Placed(name=name, x=x, y=0.5, size=0.42) for name, x in (("fox", 0.25), ("key", 0.75)))
    picture = render(world, Scene(objects=(fox, key), background="blue", size="pair"))
    assert not judge.score(picture, "a small fox on a blue background").objects


def test_match_falls_with_everything_that_is_not_the_scene(judge: SpriteJudge, world: World) -> None:
    scene = scene_of("fox", "blue")
    picture = render(world, scene)
    clean = judge.detect(picture).match
    ghost = picture.copy()
    ghost[:40, :40] = 255
    faded = (picture * 0.7 + 0.3 * np.asarray(world.backgrounds["blue"])).astype(np.uint8)
    assert clean >= 0.99
    assert judge.detect(noisy(picture, 40)).match < clean - 0.03
    assert judge.detect(blurred(picture, 3)).match < clean - 0.02
    assert judge.detect(ghost).match < clean - 0.05
    assert judge.detect(faded).match < clean - 0.03


def test_match_is_the_documented_formula(judge: SpriteJudge, world: World) -> None:
    picture = noisy(render(world, scene_of("fox", "blue")), 12)
    finding = judge.detect(picture)
    ground = np.median(picture[np.pad(np.zeros((122, 122), bool), 3, constant_values=True)], axis=0) / 255
    drawn = render(replace(world, backgrounds={"blue": tuple(255 * ground)}), scene_of("fox", "blue")) / 255 - ground
    seen = picture / 255 - ground
    expected = 1 - np.square(seen - drawn).sum() / (np.square(seen).sum() + np.square(drawn).sum())
    assert finding.match == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize("count", [None, 1, 2])
def test_an_empty_picture_shows_nothing(judge: SpriteJudge, count: int | None) -> None:
    finding = judge.detect(np.full((128, 128, 3), 26, dtype=np.uint8), count)
    assert (finding.objects, finding.background, finding.match) == ((), "black", 0.0)


def test_noise_matches_nothing_well(judge: SpriteJudge) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert judge.detect(noise).match < 0.3


def test_unfit_input_is_refused(judge: SpriteJudge, world: World) -> None:
    with pytest.raises(ValueError, match="128 x 128"):
        judge.detect(np.zeros((64, 64, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="one or two objects"):
        judge.score(np.zeros((128, 128, 3), dtype=np.uint8), "a sofa on a blue background")
    with pytest.raises(ValueError, match="even side"):
        SpriteJudge(world, side=63)
