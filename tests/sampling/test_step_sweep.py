"""The table of a sweep, against means and marks worked out by hand."""

from __future__ import annotations

import math

import pytest
from PIL import Image

from hypersd.models.families.embedded import EMOJI
from hypersd.sampling.request import MAX_SEED, Generation, Request, Run, SamplingParameters
from hypersd.sampling.step_sweep import (
    REFERENCE_PICTURES,
    CellKey,
    SweepCell,
    SweepTable,
    reference_request,
    sweep_csv,
    sweep_record,
    usual_steps,
)
from hypersd.sampling.sweep_picture import mark_words, sweep_picture, tiled
from hypersd.utils.estimates import Estimate


def request(*runs: tuple[str, int], **options: object) -> Request:
    given = {"prompt": "a cat", "seed": 7, "family": "emoji", **options}
    return Request(runs=tuple(Run(model=model, steps=steps) for model, steps in runs), **given)


def generation(model: str, steps: int, seconds: float, calls: int = 1, *, failed: bool = False) -> Generation:
    image = None if failed else Image.new("RGB", (8, 8), "red")
    error = "the disk is full" if failed else None
    return Generation(
        model=model, steps=steps, calls=calls, guidance_scale=0, seconds=seconds, image=image, error=error
    )


ASKED = request(("base", 1), ("base", 4), ("hyper", 1), ("hyper", 4), ("turbo", 2))
DRAWN = [
    generation("base", 1, 2.0, 2),
    generation("base", 4, 6.0, 8),
    generation("hyper", 1, 1.0, 1),
    generation("hyper", 4, 4.0, 4),
    generation("turbo", 2, 0.0, 0, failed=True),
]


def scored(scores: dict[CellKey, float], low: float) -> SweepTable:
    cells = {
        key: SweepCell(model=key[0], steps=key[1], calls=1, seconds=1, score=score) for key, score in scores.items()
    }
    models = tuple(dict.fromkeys(model for model, _ in cells))
    steps = tuple(sorted({count for _, count in cells}))
    return SweepTable(models=models, steps=steps, cells=cells, metric="match", base=Estimate(low, low, low, 8))


def test_means_of_rows_and_columns_leave_out_what_failed() -> None:
    table = SweepTable.of(EMOJI, ASKED, DRAWN)
    assert (table.models, table.steps) == (("base", "hyper", "turbo"), (1, 2, 4))
    assert (table.row_means("base").seconds, table.row_means("base").calls) == (4.0, 5.0)
    assert (table.row_means("hyper").seconds, table.row_means("hyper").calls) == (2.5, 2.5)
    assert (table.column_means(1).seconds, table.column_means(4).seconds) == (1.5, 5.0)
    assert math.isnan(table.column_means(2).seconds)
    assert table.cells["turbo", 2].error == "the disk is full"


def test_a_cell_of_several_seeds_is_their_mean() -> None:
    table = SweepTable.of(EMOJI, request(("hyper", 1)), [generation("hyper", 1, 1.0), generation("hyper", 1, 2.0)])
    assert table.cells["hyper", 1].seconds == 1.5


def test_the_fastest_row_comes_first_and_one_that_failed_last() -> None:
    table = SweepTable.of(EMOJI, ASKED, DRAWN)
    assert table.ordered("fastest").models == ("hyper", "base", "turbo")
    assert table.ordered("listed") == table


def test_the_mark_is_at_the_fewest_steps_that_reach_the_base_s_range() -> None:
    scores = {("base", 4): 0.9, ("hyper", 1): 0.7, ("hyper", 2): 0.8, ("hyper", 4): 0.95, ("turbo", 1): 0.5}
    table = scored(scores, low=0.8)
    assert dict(table.fewest_good) == {"base": 4, "hyper": 2}
    assert table.good_enough(("hyper", 4))
    assert not table.good_enough(("turbo", 1))
    assert not table.good_enough(("turbo", 2))


def test_nothing_is_marked_where_the_base_has_no_range() -> None:
    assert not scored({("base", 4): 0.9}, low=math.nan).fewest_good


def test_a_table_as_json_and_csv() -> None:
    record = sweep_record(SweepTable.of(EMOJI, ASKED, DRAWN))
    assert record["rows"][0] == {"model": "base", "calls": 5.0, "seconds": 4.0}
    assert record["columns"][1] == {"steps": 2, "calls": None, "seconds": None}
    assert record["metric"] is None
    lines = sweep_csv(scored({("base", 4): 0.9, ("hyper", 1): 0.7}, low=0.8)).splitlines()
    assert lines == [
        "model,steps,calls,seconds,score,good_enough,fewest_good,error",
        "base,4,1,1,0.9,True,True,",
        "hyper,1,1,1,0.7,False,False,",
    ]


def test_a_usual_sweep_has_the_paper_s_steps_and_each_model_s_own() -> None:
    assert usual_steps(EMOJI, ["base"]) == (1, 2, 4, 8, 25)
    assert usual_steps(EMOJI, ["hyper"]) == tuple(sorted({1, 2, 4, 8, EMOJI.spec("hyper").default_steps}))


@pytest.mark.parametrize(
    ("asked", "seed", "count"),
    [
        (request(("hyper", 1)), 7, REFERENCE_PICTURES),
        (request(("base", 25)), 8, REFERENCE_PICTURES - 1),
        (request(("base", 4)), 7, REFERENCE_PICTURES),
        (request(("base", 25), count=3), 10, REFERENCE_PICTURES - 3),
        (request(("base", 25), seed=MAX_SEED), MAX_SEED - 7, REFERENCE_PICTURES - 1),
    ],
)
def test_the_base_draws_what_is_missing_of_its_range(asked: Request, seed: int, count: int) -> None:
    wanted = reference_request(EMOJI, asked)
    assert wanted is not None
    assert wanted.runs == (Run(model="base", steps=25),)
    assert (wanted.seed, wanted.count) == (seed, count)


def test_the_base_draws_no_more_than_is_needed_and_without_what_it_does_not_bear() -> None:
    assert reference_request(EMOJI, request(("base", 25), count=REFERENCE_PICTURES)) is None
    wanted = reference_request(EMOJI, request(("hyper", 4), parameters=SamplingParameters(strength=0.5)))
    assert wanted is not None
    assert wanted.parameters.strength is None


def test_the_picture_has_a_cell_for_each_run_and_a_frame_at_the_mark() -> None:
    table = scored({("hyper", 1): 0.7, ("hyper", 4): 0.9}, low=0.8)
    drawn = [generation("hyper", 1, 1.0), generation("hyper", 4, 1.0)]
    asked = request(("hyper", 1), ("hyper", 4))
    plain = sweep_picture(asked, SweepTable.of(EMOJI, asked, drawn), drawn, side=64)
    marked = sweep_picture(asked, table, drawn, side=64)
    assert plain.size == marked.size
    counts = [
        sum(count for count, colour in image.getcolors(2**20) or [] if colour == (15, 118, 110))
        for image in (plain, marked)
    ]
    assert counts[0] == 0
    assert counts[1] >= 4 * 64 * 4, "a frame of four pixels around one cell"
    reds = sum(count for count, colour in marked.getcolors(2**20) or [] if colour == (255, 0, 0))
    assert reds == 2 * 64 * 64


def test_several_pictures_share_a_square() -> None:
    square = tiled([Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")], 64)
    assert [square.getpixel(place) for place in ((10, 10), (50, 10), (10, 50), (50, 50))] == [
        (255, 0, 0),
        (0, 0, 255),
        (0, 255, 0),
        (255, 255, 255),
    ]


def test_what_is_marked_is_said_in_words() -> None:
    assert "at least 0.80" in mark_words(scored({("hyper", 1): 0.9}, low=0.8))
    assert "fewer than two" in mark_words(scored({("hyper", 1): 0.9}, low=math.nan))
