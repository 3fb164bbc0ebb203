"""`evaluate`, on the family that is shipped."""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hypersd.cli.commands.evaluate import ModelResults, count, finite, requests_for, reward_in, rows_of
from hypersd.emoji.world import World
from hypersd.evaluate.evaluation_report import ReportRow
from hypersd.evaluate.metrics import read_pictures
from hypersd.evaluate.reference import real_pictures
from hypersd.evaluate.suite import MetricSuite
from hypersd.sampling.request import Generation, Run
from tests.cli.conftest import Call

PROMPT = "a big owl on a pink background"


@pytest.fixture(scope="module")
def suite(root: Path) -> MetricSuite:
    """The family's jury, whose CLIP score stands for a reward model."""
    metric_suite = MetricSuite.of(root / "assets" / "emoji-xl", 128)
    return MetricSuite(judge=metric_suite.judge, clip=metric_suite.clip, reward=metric_suite.clip)


def test_an_evaluation_leaves_metrics_a_table_and_figures(call: Call, tmp_path: Path) -> None:
    words = ("--models", "hyper,turbo", "--steps", "1", "--count", "2", "--out", tmp_path, "--json")
    rows = call("evaluate", *words).document["rows"]
    assert [(row["model"], row["steps"], row["n"]) for row in rows] == [("hyper", 1, 2), ("turbo", 1, 2)]
    with (tmp_path / "metrics.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {"model", "steps", "object", "pair", "background", "match", "clip", "seconds", "n"} <= set(lines[0])
    assert lines[0].keys() == rows[0].keys()
    assert [float(line["match"]) for line in lines] == [float(f"{row['match']:.6g}") for row in rows]
    assert all(row["match_low"] <= row["match"] <= row["match_high"] for row in rows)
    assert [(row["reward"], row["diversity"], row["fid"]) for row in rows] == [(None, None, None)] * 2
    assert (tmp_path / "table.md").read_text().count("\n| ") == 2
    assert list(tmp_path.glob("match-against-steps.*"))
    assert len(list(tmp_path.glob("grid-*.png"))) == 2


def test_several_seeds_show_diversity_and_enough_pictures_a_distance(call: Call, tmp_path: Path) -> None:
    words = ("--models", "turbo", "--steps", "1", "--count", "4", "--seed", "5", "--seeds", "8", "--out", tmp_path)
    document = call("evaluate", *words, "--json").document
    (row,) = document["rows"]
    assert (document["seed"], document["seeds"], row["n"], row["prompts"]) == (5, 8, 32, 4)
    assert 0 < row["diversity_low"] <= row["diversity"] <= row["diversity_high"] < 1
    assert 0 < row["fid_floor"] < row["fid"]
    pictures = read_pictures(tmp_path / "pictures.csv")
    seeds = {
        prompt: [one.seed for one in pictures if one.prompt == prompt] for prompt in (one.prompt for one in pictures)
    }
    assert list(seeds.values()) == [list(range(5 + number, 13 + number)) for number in range(4)]
    assert np.mean([one.diversity for one in pictures]) == pytest.approx(row["diversity"], rel=1e-4)
    assert "n = 32 pictures" in (tmp_path / "table.md").read_text()
    assert len(list(tmp_path.glob("grid-*.png"))) == 4


def test_prompts_may_come_from_a_file(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text(f"{PROMPT}\n")
    words = ("--models", "hyper", "--steps", "1", "--prompts", file, "--out", tmp_path / "out", "--json")
    (only,) = call("evaluate", *words).document["rows"]
    assert only["n"] == 1
    assert only["pair"] is None
    assert 0 <= only["match"] <= 1


def test_a_family_without_a_world_cannot_be_judged(call: Call, tmp_path: Path) -> None:
    assert "sdxl cannot be evaluated" in call("evaluate", "--family", "sdxl", "--out", tmp_path).complaint


def test_a_reward_model_must_be_there(call: Call, tmp_path: Path) -> None:
    nowhere, out = tmp_path / "nowhere", tmp_path / "out"
    complaint = call("evaluate", "--models", "hyper", "--reward", nowhere, "--out", out).complaint
    assert complaint == f"there is no reward model in {nowhere}: there is no such folder"
    assert not out.exists()
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        reward_in(tmp_path / "file")


def test_each_prompt_has_its_seeds_as_it_always_had_its_first() -> None:
    runs = (Run(model="hyper", steps=1),)

    def seeds(seed: int, number: int) -> list[list[int]]:
        options = argparse.Namespace(seed=seed, seeds=number, family="emoji")
        return [[request.seed for request in several] for several in requests_for([PROMPT] * 3, options, runs)]

    assert seeds(7, 1) == [[7], [8], [9]]
    assert seeds(7, 2) == [[7, 8], [8, 9], [9, 10]]
    assert seeds(2**32 - 1, 2) == [[2**32 - 1, 0], [0, 1], [1, 2]]


def test_what_the_jury_saw_becomes_a_row_and_what_failed_an_error(suite: MetricSuite) -> None:
    options = argparse.Namespace(seed=0, seeds=2, family="emoji")
    (requests,) = requests_for([PROMPT], options, (Run(model="hyper", steps=1), Run(model="turbo", steps=1)))
    scenes = list(real_pictures(World.load(suite.judge.world.folder), [PROMPT], 3, 128))
    images = [Image.fromarray(scene) for scene in scenes]
    common = {"steps": 1, "calls": 1, "guidance_scale": 0.0, "seconds": 0.5}
    drawn = [
        (requests[0], [Generation(model="hyper", image=images[0], **common), Generation(model="turbo", **common)]),
        (
            requests[1],
            [
                Generation(model="hyper", image=images[1], **common),
                Generation(model="turbo", error="no memory", **common),
            ],
        ),
    ]
    tallies = {("hyper", 1): ModelResults(), ("turbo", 1): ModelResults()}
    count(suite, drawn, tallies)
    assert tallies["turbo", 1].errors == ["no picture", "no memory"]
    hyper, turbo = rows_of(tallies, suite, [PROMPT])
    assert (hyper.n, hyper.prompts, hyper.object.mean) == (2, 1, 1.0)
    assert hyper.reward.mean == pytest.approx(hyper.clip.mean, abs=1e-3), "the CLIP score is the reward here"
    assert hyper.diversity.mean > 0
    assert (turbo.n, turbo.match.known) == (0, False)
    assert math.isnan(hyper.fid)


def test_what_was_not_measured_is_null_in_json() -> None:
    document = finite(ReportRow.of("hyper", 4, [], np.empty(0), None))
    assert document["match"] is None
    assert document["match_low"] is None
    assert document["seconds"] is None
    assert document["n"] == 0
