"""An evaluation of a tiny random family: its plan, what is kept of it, and what is drawn again."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from accelerate import PartialState
from safetensors.torch import save_file

from hypersd.evaluate.evaluation import EvaluationPlan, EvaluationResults, evaluate
from hypersd.evaluate.measured_prompts import digest_of, file_of, read_measured
from hypersd.evaluate.picture_metrics import read_pictures
from hypersd.evaluate.suite import MetricSuite
from hypersd.models.engine import Engine
from hypersd.models.families.embedded import EMOJI
from hypersd.models.specs import Family
from hypersd.sampling.request import Run
from tests.families import emoji_family, machine, write_clip

PROMPTS = ("a big cat on a white background", "a cat left of a dog on a blue background")


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = tmp_path_factory.mktemp("emoji")
    family = emoji_family(EMOJI, folder)
    write_clip(folder / "clip")
    return family


@pytest.fixture
def plan(family: Family) -> EvaluationPlan:
    runs = (Run(model="hyper", steps=1), Run(model="turbo", steps=2))
    return EvaluationPlan(family=family, prompts=PROMPTS, runs=runs, seed=7, seeds=2)


def results_of(plan: EvaluationPlan, out: Path, *, resume: bool = False) -> EvaluationResults:
    own = machine(out)
    suite, engine = MetricSuite.of(plan.family, own), Engine(plan.family, own)
    results = evaluate(plan, engine, suite, out, PartialState(cpu=True), resume=resume)
    assert results is not None
    return results


def times(out: Path) -> list[int]:
    return [file_of(out, index).stat().st_mtime_ns for index in range(len(PROMPTS))]


def test_each_prompt_has_its_seeds_as_it_always_had_its_first(plan: EvaluationPlan) -> None:
    def seeds(seed: int, number: int) -> list[list[int]]:
        several = replace(plan, prompts=(PROMPTS[0],) * 3, seed=seed, seeds=number)
        return [[request.seed for request in several.requests(index)] for index in range(3)]

    assert seeds(7, 1) == [[7], [8], [9]]
    assert seeds(7, 2) == [[7, 8], [8, 9], [9, 10]]
    assert seeds(2**32 - 1, 2) == [[2**32 - 1, 0], [0, 1], [1, 2]]


def test_every_run_has_a_row_and_every_picture_a_line(plan: EvaluationPlan, tmp_path: Path) -> None:
    results = results_of(plan, tmp_path)
    assert [(row.model, row.steps, row.n, row.prompts) for row in results.rows] == [
        ("hyper", 1, 4, 2),
        ("turbo", 2, 4, 2),
    ]
    pictures = read_pictures(tmp_path / "pictures.csv")
    assert [(picture.model, picture.prompt, picture.seed) for picture in pictures] == [
        (model, PROMPTS[index], 7 + index + number)
        for model in ("hyper", "turbo")
        for index in range(2)
        for number in range(2)
    ]
    assert not results.failures
    assert all(math.isfinite(picture.scores["clip"]) for picture in pictures)
    assert sorted(path.name for path in tmp_path.glob("grid-*.png")) == ["grid-0000.png", "grid-0001.png"]


def test_only_what_is_missing_is_drawn_again(plan: EvaluationPlan, tmp_path: Path) -> None:
    first = results_of(plan, tmp_path)
    before = times(tmp_path)
    file_of(tmp_path, 1).write_bytes(file_of(tmp_path, 1).read_bytes()[:100])
    again = results_of(plan, tmp_path, resume=True)
    assert times(tmp_path)[0] == before[0]
    assert times(tmp_path)[1] != before[1], "a damaged file counts as none"
    assert repr([row.means for row in again.rows]) == repr([row.means for row in first.rows])
    results_of(plan, tmp_path)
    assert times(tmp_path)[0] != before[0], "without --resume all is new"


def test_what_failed_is_said_and_tried_again(plan: EvaluationPlan, tmp_path: Path) -> None:
    assert plan.family.folder
    adapter = plan.family.folder / "adapters" / "turbo.safetensors"
    whole = adapter.read_bytes()
    try:
        save_file({}, adapter)
        results = results_of(plan, tmp_path)
        assert {(failure.model, failure.steps) for failure in results.failures} == {("turbo", 2)}
        assert [row.n for row in results.rows] == [4, 0]
        assert not results.rows[1].means["match"].known
        assert results.rows[1].finite()["match"] is None
    finally:
        adapter.write_bytes(whole)
    assert not results_of(plan, tmp_path / "again").failures
    with pytest.raises(ValueError, match="measured with other models"):
        results_of(plan, tmp_path, resume=True)


def test_another_plan_is_not_gone_on_with(plan: EvaluationPlan, tmp_path: Path) -> None:
    results_of(plan, tmp_path)
    record = json.loads((tmp_path / "evaluation.json").read_text())
    assert read_measured(file_of(tmp_path, 0), digest_of(record)) is not None
    assert read_measured(file_of(tmp_path, 0), digest_of({**record, "seed": 8})) is None
    for other, key in (
        (replace(plan, seed=8), "seed"),
        (replace(plan, prompts=PROMPTS[:1]), "prompts"),
        (replace(plan, runs=plan.runs[:1]), "models"),
        (replace(plan, reward="a hash"), "reward"),
    ):
        with pytest.raises(ValueError, match=f"cannot resume: .* was measured with other {key} "):
            results_of(other, tmp_path, resume=True)
