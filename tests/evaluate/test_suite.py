"""Results of the metric suite on rendered scenes that stand for pictures of models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hypersd.emoji.prompt_scenes import rendered
from hypersd.emoji.sprite_judge import SpriteJudge
from hypersd.emoji.world import World
from hypersd.evaluate.clip_score import ClipScore
from hypersd.evaluate.diversity import distances
from hypersd.evaluate.metric_sources import CLIP, JUDGE, REWARD, RewardFunction
from hypersd.evaluate.metrics import METRICS
from hypersd.evaluate.suite import MetricSuite, check_measurable
from hypersd.models.families.embedded import EMOJI
from hypersd.sampling.request import Generation
from tests.families import machine

SINGLE = "a big cat on a blue background"
PAIR = "an owl left of a fox on a pink background"


@pytest.fixture(scope="module")
def clip(root: Path) -> ClipScore:
    return ClipScore.of(root / "assets" / "emoji-xl" / "clip")


@pytest.fixture(scope="module")
def suite(judge: SpriteJudge, clip: ClipScore) -> MetricSuite:
    return of(judge, clip, clip)


def of(judge: SpriteJudge, clip: ClipScore, reward: RewardFunction | None = None) -> MetricSuite:
    metrics = tuple(metric for metric in METRICS if metric.source in (JUDGE, CLIP, REWARD))
    return MetricSuite(metrics=metrics, scorers={JUDGE: judge, CLIP: clip, REWARD: reward})


def drawn(model: str, world: World, prompt: str, n: int, seed: int = 0) -> list[tuple[int, Generation]]:
    scenes = rendered(world, [prompt], n, 128, seed)
    return [(number, generation(model, Image.fromarray(scene))) for number, scene in enumerate(scenes)]


def generation(model: str, image: Image.Image | None) -> Generation:
    return Generation(model=model, steps=4, calls=4, guidance_scale=0.0, seconds=0.5, image=image)


def test_each_picture_is_judged_scored_and_rewarded(suite: MetricSuite, clip: ClipScore, world: World) -> None:
    ((_, generation),) = pictures = drawn("hyper", world, SINGLE, 1)
    (look,) = suite.measure(SINGLE, pictures)
    metrics = look.metrics
    assert (metrics.model, metrics.steps, metrics.prompt, metrics.seed, metrics.seconds) == ("hyper", 4, SINGLE, 0, 0.5)
    assert (metrics.scores["object"], metrics.scores["background"]) == (1.0, 1.0)
    assert math.isnan(metrics.scores["pair"])
    assert math.isnan(metrics.scores["diversity"])
    assert metrics.scores["match"] > 0.97
    assert generation.image
    assert metrics.scores["clip"] == pytest.approx(float(clip([generation.image], [SINGLE])[0]), abs=1e-3)
    assert metrics.scores["reward"] == pytest.approx(metrics.scores["clip"], abs=1e-3), (
        "the CLIP score is the reward here"
    )
    np.testing.assert_allclose(look.features, clip.embed([generation.image])[0], atol=1e-4)


def test_a_pair_is_judged_as_one_and_without_a_reward_there_is_none(
    judge: SpriteJudge, clip: ClipScore, world: World
) -> None:
    (look,) = of(judge, clip).measure(PAIR, drawn("hyper", world, PAIR, 1))
    assert look.metrics.scores["pair"] == 1.0
    assert math.isnan(look.metrics.scores["object"])
    assert math.isnan(look.metrics.scores["reward"])


def test_diversity_is_that_of_one_model_under_several_seeds(suite: MetricSuite, clip: ClipScore, world: World) -> None:
    varied = drawn("base", world, SINGLE, 3)
    same = [(seed, generation("turbo", varied[0][1].image)) for seed in range(3)]
    alone = drawn("hyper", world, SINGLE, 1)
    looks = suite.measure(SINGLE, [*varied, *same, *alone])
    apart = [look.metrics.scores["diversity"] for look in looks]
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
        of(judge, clip, once).measure(SINGLE, drawn("hyper", world, SINGLE, 2))


def test_the_family_s_own_models_are_found(root: Path, tmp_path: Path) -> None:
    metric_suite = MetricSuite.of(EMOJI, machine(tmp_path))
    assert metric_suite.scorers[JUDGE].side == 128
    assert metric_suite.scorers[REWARD] is None
    elsewhere = replace(EMOJI, folder=tmp_path)
    with pytest.raises(ValueError, match="emoji cannot be evaluated: it has no judge of its own"):
        check_measurable(elsewhere, machine(tmp_path))
    for name in ("world.json", "sprites"):
        (tmp_path / name).symlink_to(root / "assets" / "emoji-xl" / name)
    with pytest.raises(ValueError, match="emoji cannot be evaluated: it has no CLIP model of its own"):
        check_measurable(elsewhere, machine(tmp_path))
