"""`control` and `evaluate control`, on a tiny random family."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hypersd.models.families.embedded import CONTROL_LORA, EMOJI
from tests import families
from tests.cli.conftest import Call

CAT = "a big cat on a blue background"


pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """An orange disc on blue."""
    image = Image.new("RGB", (200, 160), (60, 90, 220))
    ImageDraw.Draw(image).ellipse((60, 40, 140, 120), fill="orange")
    image.save(tmp_path / "photograph.png")
    return tmp_path / "photograph.png"


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    """A black circle on transparent paper."""
    image = Image.new("RGBA", (128, 128), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((30, 30, 98, 98), outline="black", width=4)
    image.save(tmp_path / "drawing.png")
    return tmp_path / "drawing.png"


def test_a_row_follows_a_picture_s_edges(call: Call, tmp_path: Path, photograph: Path) -> None:
    out = tmp_path / "out"
    words = ("control", CAT, "--image", photograph, "--mode", "canny", "--seed", "5", "--out", out, "--json")
    document = call(*words).document
    assert document == json.loads((out / "control.json").read_text())
    assert [(run["model"], run["steps"]) for run in document["runs"]] == [("hyper", steps) for steps in (1, 2, 4, 8)]
    assert document["control"]["mode"] == "canny"
    assert document["control"]["scale"] == 1.0
    assert document["control"]["weights"]["file"] == CONTROL_LORA
    assert len(document["control"]["weights"]["sha256"]) == 64
    files = {"hyper-1.png", "hyper-2.png", "hyper-4.png", "hyper-8.png", "grid.png", "control.png", "control.json"}
    assert {file.name for file in out.iterdir()} == files
    lines = np.asarray(Image.open(out / "control.png"))
    assert set(np.unique(lines)) == {0, 255}
    with Image.open(out / "hyper-4.png") as picture:
        assert json.loads(picture.text["hypersd"])["control"]["mode"] == "canny"  # type: ignore[attr-defined]


def test_the_scale_decides_how_much_the_lines_count(call: Call, tmp_path: Path, photograph: Path) -> None:
    pictures = {}
    for scale in ("0", "0.5", "1"):
        out = tmp_path / scale
        words = ("--image", photograph, "--mode", "scribble", "--steps", "2", "--scale", scale, "--out", out)
        assert call("control", CAT, *words).status == 0
        pictures[scale] = (out / "hyper.png").read_bytes()
    call("compare", CAT, "--models", "hyper", "--steps", "2", "--out", tmp_path / "plain")
    plain = np.asarray(Image.open(tmp_path / "plain" / "hyper.png"))
    np.testing.assert_array_equal(plain, np.asarray(Image.open(tmp_path / "0" / "hyper.png")))
    assert len({len(picture) and picture for picture in pictures.values()}) == 3


def test_a_drawing_is_followed_as_it_is_inverted(call: Call, tmp_path: Path, drawing: Path) -> None:
    out = tmp_path / "out"
    words = ("--image", drawing, "--mode", "scribble", "--drawing", "--steps", "1", "--out", out)
    assert call("control", CAT, *words).status == 0
    lines = np.asarray(Image.open(out / "control.png").convert("L"))
    assert lines[0, 0] == 0
    assert lines[64, 31] == 255


def test_eta_reaches_the_runs_that_bear_it(call: Call, tmp_path: Path, photograph: Path) -> None:
    words = ("--image", photograph, "--mode", "canny", "--steps", "2,4", "--eta", "0.3", "--out", tmp_path, "--json")
    document = call("control", CAT, *words).document
    assert [run["eta"] for run in document["runs"]] == [None, 0.3]
    assert any("eta" in warning for warning in document["warnings"])


def test_the_same_command_replaces_its_own_files_and_no_others(call: Call, tmp_path: Path, photograph: Path) -> None:
    words = ("control", CAT, "--image", photograph, "--mode", "canny", "--steps", "1")
    out = tmp_path / "out"
    assert call(*words, "--out", out).status == 0
    assert call(*words, "--seed", "1", "--out", out).status == 0
    assert json.loads((out / "control.json").read_text())["seed"] == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "control.png").write_bytes(b"mine")
    assert "control.png" in call(*words, "--out", other).complaint
    assert (other / "control.png").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--mode", "depth"), "unknown mode 'depth'; choose from: canny, scribble"),
        (("--mode", "canny", "--scale", "3"), "conditioning scale must be a number from 0 to 2"),
        (("--mode", "canny", "--steps", "3"), "hyper does not run at 3 steps"),
        (("--mode", "canny", "--family", "sd21"), "sd21 has no ControlNet for canny"),
        (("--mode", "scribble", "--family", "sdxl"), "choose from: canny"),
        (("--mode", "canny", "--family", "sd15"), "lllyasviel/control_v11p_sd15_canny is not downloaded"),
        (("--mode", "canny", "--image", "missing.png"), "missing.png"),
    ],
)
def test_bad_input_is_one_line_before_any_work(
    call: Call, tmp_path: Path, photograph: Path, more: tuple[str, ...], complaint: str
) -> None:
    out = tmp_path / "out"
    assert complaint in call("control", CAT, "--image", photograph, "--out", out, *more).complaint
    assert not out.exists()


def test_a_picture_without_lines_is_refused(call: Call, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "empty.png")
    words = ("control", CAT, "--image", tmp_path / "empty.png", "--mode", "canny", "--out", tmp_path / "out")
    assert "has no lines to follow" in call(*words).complaint


def test_a_family_without_control_weights_says_how_they_are_trained(
    call: Call, tmp_path: Path, photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    families.emoji_family(EMOJI, bare)
    (bare / CONTROL_LORA).unlink()
    monkeypatch.setenv("HYPERSD_EMOJI", str(bare))
    words = ("control", CAT, "--image", photograph, "--mode", "canny", "--out", tmp_path / "out")
    assert "emoji train --stages control" in call(*words).complaint


def test_another_base_s_control_weights_are_refused(
    call: Call, tmp_path: Path, photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = tmp_path / "mixed"
    families.emoji_family(EMOJI, mixed)
    (mixed / CONTROL_LORA).write_bytes((mixed / "adapters" / "hyper.safetensors").read_bytes())
    monkeypatch.setenv("HYPERSD_EMOJI", str(mixed))
    words = ("--image", photograph, "--mode", "canny", "--steps", "1", "--out", tmp_path / "out", "--json")
    assert "is not a Control-LoRA" in call("control", CAT, *words).complaint
    assert not (tmp_path / "out").exists()


def test_the_agreement_with_the_lines_is_measured(call: Call, tmp_path: Path) -> None:
    words = ("evaluate", "control", "--count", "2", "--steps", "1,2", "--mode", "scribble", "--out", tmp_path, "--json")
    document = call(*words).document
    assert document == json.loads((tmp_path / "control-agreement.json").read_text())
    assert [row["steps"] for row in document["rows"]] == [1, 2]
    for row in document["rows"]:
        for key in ("iou", "iou_without", "objects", "objects_without"):
            assert row[key]["low"] <= row[key]["value"] <= row[key]["high"]
    (row,) = call("evaluate", "control", "--count", "1", "--steps", "1", "--out", tmp_path / "one", "--json").document[
        "rows"
    ]
    assert row["prompts"] == row["iou"]["n"] == 1
    with Image.open(tmp_path / "control-agreement-1.png") as page:
        assert page.size == (2 * 128, 3 * 128)


@pytest.mark.parametrize(
    "more",
    [("--models", "hyper"), ("--reference", "."), ("--seeds", "2"), ("--resume",), ("--like", "hyper")],
)
def test_options_of_other_evaluations_are_refused(call: Call, tmp_path: Path, more: tuple[str, ...]) -> None:
    complaint = call("evaluate", "control", *more, "--out", tmp_path / "out").complaint
    assert complaint.endswith(f"leave out {more[0]}")
    assert not (tmp_path / "out").exists()
    assert "leave out --mode" in call("evaluate", "tables", "--mode", "canny", "--out", tmp_path / "out").complaint
    assert "`evaluate control`" in call("evaluate", "--mode", "canny", "--out", tmp_path / "out").complaint
