"""Metrics of each picture: the file of them, and means over prompts."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from hypersd.evaluate.picture_metrics import ImageMetrics, by_prompt, over_prompts, read_pictures, write_pictures

ONE = ImageMetrics(
    model="hyper",
    steps=4,
    prompt="a big cat on a blue background",
    seed=7,
    scores={
        "object": 1.0,
        "pair": math.nan,
        "background": 0.0,
        "match": 0.875,
        "clip": 81.25,
        "reward": math.nan,
        "diversity": math.nan,
    },
    seconds=0.25,
)
NAMES = tuple(ONE.scores)


def changed(picture: ImageMetrics, **scores: float) -> ImageMetrics:
    return replace(picture, scores={**picture.scores, **scores})


PAIR = replace(
    changed(ONE, object=math.nan, pair=0.0, reward=-1.5), prompt='an owl left of a "cat", on a red background'
)


def test_the_file_brings_back_what_was_written(tmp_path: Path) -> None:
    pictures = [ONE, PAIR, replace(ONE, model="NA", seed=2**32 - 1)]
    write_pictures(pictures, NAMES, tmp_path / "pictures.csv")
    metrics = read_pictures(tmp_path / "pictures.csv")
    assert list(map(repr, metrics)) == list(map(repr, pictures)), "NaN is not equal to itself, but is written the same"
    assert (tmp_path / "pictures.csv").read_text().startswith("model,steps,prompt,seed,object,pair,background,match,")


def test_no_pictures_are_a_file_too(tmp_path: Path) -> None:
    write_pictures([], NAMES, tmp_path / "pictures.csv")
    assert read_pictures(tmp_path / "pictures.csv") == []


def test_another_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("model,steps\nhyper,4\n")
    with pytest.raises(ValueError, match="not a table of pictures: it has no column 'prompt'"):
        read_pictures(tmp_path / "metrics.csv")


def test_a_prompt_counts_once_however_many_pictures_it_has() -> None:
    other = replace(changed(ONE, match=0.5), prompt="a small cat on a blue background")
    pictures = [ONE, changed(ONE, match=0.625), other]
    assert by_prompt(pictures, "match") == {ONE.prompt: 0.75, other.prompt: 0.5}
    assert over_prompts(pictures, "match").value == 0.625


def test_a_metric_is_averaged_over_the_prompts_that_have_it() -> None:
    assert by_prompt([ONE, PAIR], "object") == {ONE.prompt: 1.0}
    assert over_prompts([ONE, PAIR], "pair").value == 0.0
    assert over_prompts([ONE, PAIR], "reward").value == -1.5
    assert not over_prompts([ONE, PAIR], "diversity").known


def test_pictures_of_one_prompt_do_not_make_an_interval_narrower() -> None:
    rng = np.random.default_rng(0)
    prompts = [replace(changed(ONE, match=float(rng.uniform())), prompt=str(number)) for number in range(40)]
    often = [replace(picture, seed=seed) for picture in prompts for seed in range(5)]
    assert astuple(over_prompts(often, "match")) == pytest.approx(astuple(over_prompts(prompts, "match")))
