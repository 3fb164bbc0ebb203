"""With feedback against without: the table, and that pairs make it sharper."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hypersd.evaluate.ablation import ablation_table, changes
from hypersd.evaluate.picture_metrics import ImageMetrics


def pictures(model: str, steps: int, gain: float = 0.0, n: int = 40) -> list[ImageMetrics]:
    """Prompts that differ much in how hard they are, and a model that is better by `gain` on each."""
    rng = np.random.default_rng(steps)
    return [
        ImageMetrics(
            model=model,
            steps=steps,
            prompt=f"prompt {number}",
            seed=number,
            scores={
                "object": 1.0 if number % 2 else math.nan,
                "pair": math.nan if number % 2 else float(gain > 0),
                "background": 1.0,
                "match": float(rng.uniform(0.2, 0.8)) + gain,
                "clip": 80.0 + float(rng.normal(0, 5)) + 10 * gain,
                "reward": math.nan,
                "diversity": math.nan,
            },
            seconds=0.2,
        )
        for number in range(n)
    ]


def with_match(picture: ImageMetrics, match: float) -> ImageMetrics:
    return replace(picture, scores={**picture.scores, "match": match})


def test_a_small_gain_on_every_prompt_is_sure_though_the_intervals_overlap() -> None:
    rng = np.random.default_rng(0)
    without = pictures("hyper-plain", 4)
    tuned = [with_match(one, one.scores["match"] + float(rng.normal(0.03, 0.03))) for one in pictures("hyper", 4)]
    by_metric = {change.metric.name: change for change in changes(without, tuned)}
    match = by_metric["match"]
    assert match.tuned.low < match.without.high, "the two means alone do not tell"
    assert match.sure
    assert match.difference.value == pytest.approx(match.tuned.value - match.without.value)
    assert match.difference.low < 0.03 < match.difference.high
    assert not by_metric["background"].sure
    assert by_metric["background"].difference.low < 0 < by_metric["background"].difference.high
    assert not by_metric["reward"].difference.known
    assert not by_metric["reward"].sure


def test_only_what_both_drew_is_compared() -> None:
    without = pictures("hyper-plain", 1) + pictures("hyper-plain", 4)
    tuned = [with_match(one, one.scores["match"] + 0.25) for one in pictures("hyper", 4)][:10]
    tuned += [replace(with_match(tuned[0], 0.0), seed=999), *pictures("hyper", 8)]
    differences = changes(without, tuned)
    assert {change.steps for change in differences} == {4}
    match = next(change for change in differences if change.metric.name == "match")
    assert match.difference.value == pytest.approx(0.25)
    assert match.without.value == pytest.approx(np.mean([one.scores["match"] for one in pictures("x", 4)[:10]]))


def test_the_table_has_three_lines_a_number_of_steps() -> None:
    without = pictures("hyper-plain", 4) + pictures("hyper-plain", 1)
    tuned = pictures("hyper", 1, 0.125) + pictures("hyper", 4, 0.125)
    lines = ablation_table(without, tuned).splitlines()
    assert lines[0] == "| steps | feedback | object | pair | background | match | CLIP | reward | diversity |"
    assert [line.split("|")[1:3] for line in lines[2:8]] == [
        [" 1 ", " without "],
        ["  ", " with "],
        ["  ", " difference "],
        [" 4 ", " without "],
        ["  ", " with "],
        ["  ", " difference "],
    ]
    cells = [cell.strip() for cell in lines[4].split("|")[3:-1]]
    assert cells[0] == "+0.0 [-17, +17]"
    assert cells[1] == "**+100.0 [+66, +100]**"
    assert cells[3] == "**+0.125 [+0.125, +0.125]**"
    assert cells[5:] == ["–", "–"]
    assert "Without: hyper-plain; with: hyper." in lines[-1]
    assert "40 prompts" in lines[-1]


def test_unfit_input_is_refused() -> None:
    first, other = pictures("hyper-plain", 4), pictures("hyper", 4)
    with pytest.raises(ValueError, match="one model with one other"):
        changes([*first, *other], other)
    with pytest.raises(ValueError, match="one model with one other"):
        changes([], other)
    with pytest.raises(ValueError, match="in common"):
        changes(first, pictures("hyper", 1))
    with pytest.raises(ValueError, match="in common"):
        ablation_table(first, [replace(picture, seed=1000) for picture in other])
