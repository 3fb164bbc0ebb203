"""The base's range, and scores of pictures that are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hypersd.emoji.sprite_judge import PromptMatch
from hypersd.evaluate.good_enough import QualityScore, check_scorable, range_of_means, scored, verdict_score
from hypersd.models.families.embedded import EMOJI
from hypersd.models.families.sdxl import SDXL
from hypersd.sampling.request import Generation, Request, Run, SamplingParameters
from hypersd.sampling.step_sweep import SweepTable

ASKED = Request(
    prompt="a big cat on a blue background",
    seed=1,
    family="emoji",
    runs=(Run(model="base", steps=25), Run(model="hyper", steps=1)),
)


def grey(model: str, steps: int, level: int) -> Generation:
    image = Image.new("RGB", (8, 8), (level,) * 3)
    return Generation(model=model, steps=steps, calls=1, guidance_scale=0, seconds=1, image=image)


def test_the_range_of_one_picture_is_that_of_the_scores_themselves() -> None:
    estimate = range_of_means([0.0, 1.0], 1)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (0.5, 0.0, 1.0, 2)


def test_the_range_of_a_mean_is_narrower() -> None:
    scores = list(np.linspace(0, 1, 8))
    alone, together = range_of_means(scores, 1), range_of_means(scores, 8)
    assert alone.low < together.low < 0.5 < together.high < alone.high
    spread = float(np.std(scores)) / np.sqrt(8)
    assert together.low == pytest.approx(0.5 - 1.96 * spread, abs=0.03)


def test_scores_that_agree_have_no_width_and_one_has_no_range() -> None:
    assert (range_of_means([0.25] * 4, 1).low, range_of_means([0.25] * 4, 4).high) == (0.25, 0.25)
    assert np.isnan(range_of_means([0.5], 1).low)


def test_a_picture_that_shows_something_else_scores_nothing() -> None:
    right = PromptMatch(objects=True, background=True, match=0.8, kind="single")
    assert verdict_score(right) == 0.8
    assert verdict_score(replace(right, objects=False)) == 0
    assert verdict_score(replace(right, background=False)) == 0


def test_cells_are_scored_and_the_base_s_extra_pictures_only_make_its_range() -> None:
    brightness = QualityScore(
        name="brightness", score=lambda images, _: [float(np.asarray(image).mean()) for image in images]
    )
    drawn = [grey("base", 25, 100), grey("hyper", 1, 90)]
    extra = [grey("base", 25, 80), grey("base", 25, 120)]
    table = scored(SweepTable.of(EMOJI, ASKED, drawn), EMOJI, ASKED.prompt, drawn, extra=extra, quality=brightness)
    assert (table.cells["base", 25].score, table.cells["hyper", 1].score) == (100, 90)
    assert (table.base.value, table.base.low, table.base.high, table.base.n) == (100, 80, 120, 3)
    assert dict(table.fewest_good) == {"base": 25, "hyper": 1}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"prompt": "a big cat"}, "needs one or two objects and a background"),
        ({"parameters": SamplingParameters(size=(160, 128))}, "reads pictures of 128x128 pixels only"),
    ],
)
def test_what_the_judge_cannot_read_is_said_before_any_work(changed: dict[str, object], words: str) -> None:
    check_scorable(EMOJI, ASKED)
    with pytest.raises(ValueError, match=words):
        check_scorable(EMOJI, replace(ASKED, **changed))


def test_a_family_without_a_judge_needs_a_reward_model() -> None:
    with pytest.raises(ValueError, match="sdxl has no judge of its own; name a reward model"):
        check_scorable(SDXL, replace(ASKED, family="sdxl"))
