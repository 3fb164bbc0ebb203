"""`compare --grid` and `compare --like`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hypersd.sampling.png import write_png
from hypersd.sampling.request import Run
from hypersd.sampling.stored_request import read_request
from tests.cli.conftest import Call

CAT = "a big cat on a blue background"
SMALL = ("--models", "hyper,turbo", "--steps", "1,2", "--seed", "7")


pytestmark = pytest.mark.usefixtures("tiny")


def test_a_sweep_leaves_one_picture_that_carries_its_parameters_and_its_numbers(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"
    document = call("compare", CAT, *SMALL, "--grid", "--sort", "fastest", "--out", out, "--json").document
    assert document == json.loads((out / "comparison.json").read_text())
    sweep = document["sweep"]
    means = [row["seconds"] for row in sweep["rows"]]
    assert means == sorted(means)
    cells = {(cell["model"], cell["steps"]): cell for cell in sweep["cells"]}
    assert cells.keys() == {("hyper", 1), ("hyper", 2), ("turbo", 1), ("turbo", 2)}
    for run in document["runs"]:
        cell = cells[run["model"], run["steps"]]
        assert (cell["calls"], cell["seconds"]) == (run["calls"], run["seconds"])
        assert cell["good_enough"] == (cell["score"] >= sweep["base"]["low"] - 1e-4)
    assert (sweep["metric"], sweep["base"]["n"]) == ("match where right", 8)
    with (out / "sweep.csv").open() as file:
        assert [(line["model"], int(line["steps"])) for line in csv.DictReader(file)] == list(cells)
    with Image.open(out / "grid.png") as picture:
        stored = json.loads(picture.text["hypersd"])
    assert stored["sweep"] == sweep
    assert {"hyper-1.png", "turbo-2.png", "grid.png", "sweep.csv", "comparison.json"} < {
        file.name for file in out.iterdir()
    }
    again = call("compare", CAT, *SMALL, "--grid", "--resume", "--out", out, "--json").document
    assert again == document
    assert "drawn with --grid" in call("compare", CAT, *SMALL, "--resume", "--out", out).complaint
    call("compare", CAT, *SMALL, "--out", out, "--json")
    assert not (out / "sweep.csv").exists(), "a folder never shows two runs"


def test_a_sweep_for_people_has_costs_in_every_cell(call: Call, tmp_path: Path) -> None:
    result = call("compare", "cat", *SMALL, "--grid", "--out", tmp_path / "out")
    lines = result.out.splitlines()
    assert lines[1].split() == ["model", "1", "step", "2", "steps", "mean"]
    assert [line.split()[0] for line in lines[2:5]] == ["hyper", "turbo", "mean"]
    assert all("/1" in line for line in lines[2:5])
    assert "needs one or two objects and a background" in lines[5]


def test_without_steps_a_sweep_takes_the_usual_ones(call: Call, tmp_path: Path) -> None:
    document = call("compare", "cat", "--models", "hyper", "--grid", "--out", tmp_path / "out", "--json").document
    assert [column["steps"] for column in document["sweep"]["columns"]] == [1, 2, 4, 8]


def test_a_sweep_is_drawn_again_from_its_picture(call: Call, tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    words = ("compare", CAT, *SMALL, "--strength", "0.5", "--grid")
    call(*words, "--out", first, "--json")
    stored = read_request(first / "grid.png").request
    assert stored.runs == tuple(
        Run(model=model, steps=steps) for model, steps in (("hyper", 1), ("turbo", 1), ("hyper", 2), ("turbo", 2))
    )
    assert (stored.prompt, stored.seed, stored.parameters.strength) == (CAT, 7, 0.5)
    call("compare", "--like", first / "grid.png", "--grid", "--out", again, "--json")
    for name in ("hyper-1.png", "turbo-2.png"):
        with Image.open(first / name) as one_file, Image.open(again / name) as other:
            assert np.array_equal(np.asarray(one_file), np.asarray(other))


def test_a_single_picture_is_drawn_again_with_what_was_set_by_hand(call: Call, tmp_path: Path) -> None:
    words = ("compare", CAT, "--models", "base", "--steps", "2", "--guidance", "5", "--negative", "dog")
    call(*words, "--size", "160x128", "--seed", "9", "--out", tmp_path / "first", "--json")
    call("compare", "--like", tmp_path / "first" / "base.png", "--out", tmp_path / "again", "--json")
    assert (tmp_path / "first" / "base.png").read_bytes() == (tmp_path / "again" / "base.png").read_bytes()


def test_a_picture_says_its_backend_and_is_drawn_again_with_it(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))
    first, words = tmp_path / "first", ("--models", "turbo", "--steps", "1", "--backend", "openvino")
    record = call("compare", CAT, *words, "--out", first, "--json").document
    assert record["runs"][0]["backend"] == "openvino"
    assert "openvino" in record["versions"]
    for file in ("turbo.png", "grid.png"):
        again = call("compare", "--like", first / file, "--out", tmp_path / file, "--json").document
        assert again["runs"][0]["backend"] == "openvino"
    assert (first / "turbo.png").read_bytes() == (tmp_path / "grid.png" / "turbo.png").read_bytes()
    other = ("--backend", "torch", "--out", tmp_path / "torch", "--json")
    assert call("compare", "--like", first / "turbo.png", *other).document["runs"][0]["backend"] == "torch"
    assert (
        "another backend (openvino, not torch)"
        in call("compare", CAT, *words[:-1], "torch", "--resume", "--out", first).complaint
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--sort", "fastest"), "--sort belongs to a sweep; add --grid"),
        (("--reward", "none"), "--reward belongs to a sweep; add --grid"),
        (("--grid", "--reward", "none"), "there is no reward model in none"),
        (("--grid", "--sort", "slowest"), "invalid choice: 'slowest'"),
    ],
)
def test_bad_options_of_a_sweep_are_refused_before_any_work(
    call: Call, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    assert complaint in call("compare", CAT, *SMALL, *words, "--out", tmp_path / "out").complaint
    assert not (tmp_path / "out" / "comparison.json").exists()


def test_a_picture_that_does_not_say_how_it_was_made_is_refused(call: Call, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "bare.png")
    (tmp_path / "text.png").write_text("hello")
    out = ("--out", tmp_path / "out")
    assert "does not say how it was made" in call("compare", "--like", tmp_path / "bare.png", *out).complaint
    assert "not a picture" in call("compare", "--like", tmp_path / "text.png", *out).complaint
    assert "No such file" in call("compare", "--like", tmp_path / "none.png", *out).complaint
    broken = tmp_path / "broken.png"
    Image.effect_noise((64, 64), 50).save(broken)
    broken.write_bytes(broken.read_bytes()[:2000])
    assert call("compare", "--like", broken, *out).complaint.startswith(f"{broken} is damaged, or not a picture")
    beside = call("compare", CAT, "--like", tmp_path / "bare.png", *out).complaint
    assert beside == "--like takes all settings from the picture; leave out the prompt"


RECORD = {"prompt": CAT, "seed": 1, "family": "emoji", "runs": [{"model": "hyper", "steps": 4}]}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"runs": [{"model": "dall-e", "steps": 4}]}, "cannot be drawn again: unknown model 'dall-e'"),
        ({"runs": [{"model": "hyper", "steps": 3}]}, "cannot be drawn again: hyper does not run at 3 steps"),
        ({"runs": [{"model": "base", "steps": "4"}]}, "holds a damaged record"),
        ({"runs": []}, "cannot be drawn again"),
        ({"runs": 5}, "holds a damaged record"),
        ({"seed": -1}, "cannot be drawn again: a seed is a whole number"),
        ({"seed": "1"}, "holds a damaged record"),
        ({"prompt": None}, "holds a damaged record"),
        ({"family": "sdxxl"}, "cannot be drawn again: unknown family 'sdxxl'"),
        ({"family": ["emoji"]}, "holds a damaged record"),
        ({"parameters": {"size": 5}}, "holds a damaged record"),
        ({"parameters": {"colour": 5}}, "holds a damaged record"),
        ({"parameters": {"eta": "much"}}, "holds a damaged record"),
        ({"control": {"mode": "canny"}}, "follows the lines of a control image"),
    ],
)
def test_a_record_that_cannot_be_drawn_again_is_one_sentence_with_the_file(
    call: Call, tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    file = tmp_path / "drawn.png"
    write_png(file, Image.new("RGB", (8, 8)), {"hypersd": json.dumps({**RECORD, **changes})})
    assert f"{file} {complaint}" in call("compare", "--like", file, "--out", tmp_path / "out").complaint
    assert not (tmp_path / "out").exists()
