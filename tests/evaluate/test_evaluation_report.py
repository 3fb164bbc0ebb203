"""The files an evaluation leaves behind."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hypersd.emoji.prompt_scenes import rendered
from hypersd.emoji.prompts import held_out_prompts
from hypersd.emoji.world import World
from hypersd.evaluate.clip_score import ClipScore
from hypersd.evaluate.evaluation_report import ReportRow, figure, frame, markdown, write_report
from hypersd.evaluate.metrics import BY_NAME
from hypersd.evaluate.picture_metrics import ImageMetrics
from hypersd.evaluate.reference import Reference
from hypersd.utils.estimates import UNKNOWN, Estimate

ROW = ReportRow(
    model="base",
    steps=25,
    means={
        "object": Estimate(0.96875, 0.90625, 0.999, 64),
        "pair": Estimate(0.875, 0.75, 0.96875, 64),
        "background": Estimate(0.984375, 0.953125, 0.999, 64),
        "match": Estimate(0.912, 0.893, 0.929, 64),
        "clip": Estimate(31.25, 29.75, 32.75, 64),
        "reward": UNKNOWN,
        "diversity": UNKNOWN,
    },
    diversity_ratio=UNKNOWN,
    fid=math.nan,
    fid_floor=math.nan,
    seconds=1.5,
    n=64,
    prompts=64,
)
ROWS = [ROW, replace(ROW, model="hyper", steps=4, seconds=0.25), replace(ROW, model="hyper", steps=1, seconds=0.1)]


NAMES = tuple(ROW.means)


def with_clip(row: ReportRow, clip: Estimate) -> ReportRow:
    return replace(row, means={**row.means, "clip": clip})


def judged(prompt: str, seed: int = 0, **scores: float) -> ImageMetrics:
    scores = dict.fromkeys(NAMES, math.nan) | scores
    return ImageMetrics(model="hyper", steps=4, prompt=prompt, seed=seed, scores=scores, seconds=0.5)


def test_report_is_complete(tmp_path: Path) -> None:
    written = write_report(ROWS, tmp_path / "out")
    assert [path.name for path in written[:2]] == ["metrics.csv", "table.md"]
    assert {path.suffix for path in written} == {".csv", ".md", ".svg", ".png"}
    assert all(path.stat().st_size > 0 for path in written)
    pd.testing.assert_frame_equal(pd.read_csv(written[0]), frame(ROWS))


def test_a_metric_s_column_has_its_interval_beside_it() -> None:
    (line,) = frame([ROW]).to_dict("records")
    assert (line["object"], line["object_low"], line["object_high"]) == (0.96875, 0.90625, 0.999)
    for metric in ("pair", "background", "match", "clip", "reward", "diversity"):
        assert {metric, f"{metric}_low", f"{metric}_high"} <= line.keys()
    assert {"fid", "fid_floor", "seconds", "n", "prompts"} <= line.keys()


def test_the_table_shows_intervals_and_a_dash_for_what_was_not_measured() -> None:
    text = markdown([ROW])
    cells = "96.9% [91, 100] | 87.5% [75, 97] | 98.4% [95, 100] | 0.912 ±0.018 | 31.25 ±1.50 | – | – | – | 1.50 | 64 |"
    assert f"| base | 25 | {cells}" in text
    assert "bootstrap over 64 prompts" in text
    assert "FID is" not in text


def test_a_distance_comes_with_how_many_pictures_and_what_not_to_compare() -> None:
    near = replace(ROW, fid=3.25, fid_floor=2.125, fid_reference=Reference.description)
    measured = [near, replace(near, model="a|b", fid=9.5, fid_floor=2.5, n=60)]
    text = markdown([*measured, replace(ROW, n=12)])
    assert "| 3.25 | 1.50 | 64 |" in text
    assert "| a\\|b |" in text
    assert "n = 60 to 64 pictures" in text
    assert "cannot be compared with an FID from elsewhere" in text
    assert "have 2.12 to 2.50 themselves" in text
    assert "themselves" not in markdown([replace(near, fid_floor=math.nan, fid_reference="a folder")])


def test_a_mean_of_one_prompt_has_no_interval() -> None:
    interval = Estimate(20.0, math.nan, math.nan, 64)
    assert "| 20.00 |" in markdown([with_clip(ROW, interval)])


def test_what_was_not_measured_draws_no_figure(tmp_path: Path) -> None:
    unknown = replace(with_clip(ROW, UNKNOWN), seconds=math.nan)
    names = {path.name for path in write_report([unknown], tmp_path)}
    assert "match-against-steps.svg" in names
    assert "match-against-seconds.svg" not in names


def test_a_family_without_a_match_is_drawn_by_its_clip_score(tmp_path: Path) -> None:
    photographed = replace(ROW, means={"clip": ROW.means["clip"], "diversity": UNKNOWN})
    names = {path.name for path in write_report([photographed], tmp_path)}
    assert {"clip-against-steps.svg", "clip-against-seconds.png"} <= names
    assert "| model | steps | CLIP | diversity | FID | seconds | n |" in (tmp_path / "table.md").read_text()


def test_a_figure_has_a_line_a_model_in_ascending_steps() -> None:
    (axes,) = figure(ROWS, BY_NAME["object"], "seconds").axes
    lines = {str(line.get_label()): list(line.get_xdata()) for line in axes.get_lines()}
    assert lines == {"base": [1.5], "hyper": [0.1, 0.25]}


def test_a_row_holds_means_over_prompts() -> None:
    pictures = [
        judged("a big cat on a blue background", object=1.0, background=1.0, match=0.5, clip=20.0),
        judged("a big owl on a blue background", object=0.0, background=1.0, match=0.75, clip=30.0),
        judged("an owl left of a cat on a red background", pair=1.0, background=1.0, match=1.0, clip=40.0),
    ]
    row = ReportRow.of(("hyper", 4), NAMES, pictures, np.zeros((3, 8)))
    assert (
        row.means["object"].value,
        row.means["pair"].value,
        row.means["background"].value,
        row.means["match"].value,
    ) == (0.5, 1.0, 1.0, 0.75)
    assert (row.means["clip"].value, row.seconds, row.n, row.prompts) == (30.0, 0.5, 3, 3)
    assert row.means["object"].low <= 0.5 <= row.means["object"].high
    assert row.means["background"].low < 1.0, "three prompts do not make it certain"
    assert row.means["reward"] is UNKNOWN


def test_the_diversity_is_compared_with_the_base_s_on_the_same_prompts() -> None:
    base = [judged(prompt, diversity=value) for prompt, value in (("a", 0.2), ("b", 0.4), ("c", 9.0))]
    few = [judged(prompt, diversity=value) for prompt, value in (("a", 0.1), ("b", 0.36), ("d", 9.0))]
    row = ReportRow.of(("hyper", 4), NAMES, few, np.zeros((3, 8)), base=base)
    assert row.diversity_ratio.value == pytest.approx(0.46 / 0.6)
    assert (row.diversity_ratio.low, row.diversity_ratio.high) == pytest.approx((0.5, 0.9))
    text = markdown([row, ROW])
    assert "| diversity | of the base's | FID |" in text
    assert "| 77% [50, 90] | – | 0.50 | 3 |" in text
    assert "of the base's" not in markdown([ROW])
    assert not ReportRow.of(("hyper", 4), NAMES, few, np.zeros((3, 8))).diversity_ratio.known
    assert frame([row]).loc[0, "diversity_ratio"] == pytest.approx(0.46 / 0.6)


def test_a_row_of_nothing_says_so() -> None:
    row = ReportRow.of(("hyper", 4), NAMES, [], np.empty(0))
    assert (row.means["match"], row.n, row.prompts) == (UNKNOWN, 0, 0)
    assert math.isnan(row.seconds)


@pytest.mark.parametrize("n", [31, 32])
def test_the_distance_is_measured_where_there_are_pictures_enough(world: World, root: Path, n: int) -> None:
    clip = ClipScore.of(root / "assets" / "emoji-xl" / "clip")
    prompts = held_out_prompts(world, 16)
    reference = Reference(lambda count, seed: rendered(world, prompts, count, 128, seed), 16, clip, least=64)
    features = clip.embed(list(rendered(world, prompts, n, 128, seed=3)))
    pictures = [judged(prompts[number % 16], seed=number // 16) for number in range(n)]
    row = ReportRow.of(("hyper", 4), NAMES, pictures, features, reference=reference)
    assert (row.n, row.prompts) == (n, 16)
    if n < 32:
        assert math.isnan(row.fid)
    else:
        assert row.fid == reference.distance(features)
        assert row.fid_floor == reference.floor(32)
