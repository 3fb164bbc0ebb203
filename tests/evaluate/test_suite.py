"""Results of the metric suite on rendered scenes that stand for pictures of models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hypersd.emoji.sprite_judge import SpriteJudge
from hypersd.emoji.world import World
from hypersd.evaluate.clip_score import ClipScore
from hypersd.evaluate.diversity import distances
from hypersd.evaluate.reference import real_pictures
from hypersd.evaluate.suite import MetricSuite
from hypersd.sampling.request import Generation

SINGLE = "a big cat on a blue background"
PAIR = "an owl left of a fox on a pink background"


@pytest.fixture(scope="module")
def clip(root: Path) -> ClipScore:
    return ClipScore(root / "assets" / "emoji-xl" / "clip")


@pytest.fixture(scope="module")
def suite(judge: SpriteJudge, clip: ClipScore) -> MetricSuite:
    return MetricSuite(judge=judge, clip=clip, reward=clip)


def drawn(model: str, world: World, prompt: str, n: int, seed: int = 0) -> list[tuple[int, Generation]]:
    scenes = real_pictures(world, [prompt], n, 128, seed)
    return [(number, generation(model, Image.fromarray(scene))) for number, scene in enumerate(scenes)]


def generation(model: str, image: Image.Image | None) -> Generation:
    return Generation(model=model, steps=4, calls=4, guidance_scale=0.0, seconds=0.5, image=image)


def test_each_picture_is_judged_scored_and_rewarded(suite: MetricSuite, clip: ClipScore, world: World) -> None:
    ((_, generation),) = pictures = drawn("hyper", world, SINGLE, 1)
    (look,) = suite.measure(SINGLE, pictures)
    metrics = look.metrics
    assert (metrics.model, metrics.steps, metrics.prompt, metrics.seed, metrics.seconds) == ("hyper", 4, SINGLE, 0, 0.5)
    assert (metrics.object, metrics.background) == (1.0, 1.0)
    assert math.isnan(metrics.pair)
    assert math.isnan(metrics.diversity)
    assert metrics.match > 0.97
    assert generation.image
    assert metrics.clip == pytest.approx(float(clip([generation.image], [SINGLE])[0]), abs=1e-3)
    assert metrics.reward == pytest.approx(metrics.clip, abs=1e-3), "the CLIP score is the reward here"
    np.testing.assert_allclose(look.features, clip.embed([generation.image])[0], atol=1e-4)


def test_a_pair_is_judged_as_one_and_without_a_reward_there_is_none(
    judge: SpriteJudge, clip: ClipScore, world: World
) -> None:
    (look,) = MetricSuite(judge=judge, clip=clip).measure(PAIR, drawn("hyper", world, PAIR, 1))
    assert look.metrics.pair == 1.0
    assert math.isnan(look.metrics.object)
    assert math.isnan(look.metrics.reward)


def test_diversity_is_that_of_one_model_under_several_seeds(suite: MetricSuite, clip: ClipScore, world: World) -> None:
    varied = drawn("base", world, SINGLE, 3)
    same = [(seed, generation("turbo", varied[0][1].image)) for seed in range(3)]
    alone = drawn("hyper", world, SINGLE, 1)
    looks = suite.measure(SINGLE, [*varied, *same, *alone])
    apart = [look.metrics.diversity for look in looks]
    expected = distances(clip.embed([one.image for _, one in varied if one.image]))
    np.testing.assert_allclose(apart[:3], expected, atol=1e-4)
    assert min(apart[:3]) > 1e-3
    np.testing.assert_allclose(apart[3:6], 0, atol=1e-5)
    assert math.isnan(apart[6])


def test_failed_runs_are_left_out(suite: MetricSuite, world: World) -> None:
    fine = drawn("hyper", world, SINGLE, 1)
    assert len(suite.measure(SINGLE, [(0, generation("base", None)), *fine])) == 1
    assert suite.measure(SINGLE, [(0, generation("base", None))]) == []


def test_a_reward_must_be_a_number_a_picture(judge: SpriteJudge, clip: ClipScore, world: World) -> None:
    def once(images: Sequence[Image.Image], prompts: Sequence[str]) -> NDArray[np.float32]:
        return clip(images[:1], prompts[:1])

    with pytest.raises(ValueError, match=r"gave \(1,\) numbers for 2 pictures"):
        MetricSuite(judge=judge, clip=clip, reward=once).measure(SINGLE, drawn("hyper", world, SINGLE, 2))


def test_the_family_s_jury_is_found_in_its_folder(root: Path, tmp_path: Path) -> None:
    metric_suite = MetricSuite.of(root / "assets" / "emoji-xl", 128)
    assert metric_suite.judge.side == 128
    assert metric_suite.reward is None
    with pytest.raises(FileNotFoundError):
        MetricSuite.of(tmp_path, 128)
