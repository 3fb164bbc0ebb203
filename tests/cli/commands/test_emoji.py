"""`emoji`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hypersd.emoji.captions import read
from hypersd.emoji.training.rebuild import EmojiTrainingConfig
from hypersd.emoji.world import World
from hypersd.models.registry import shipped_folder
from tests.cli.conftest import Call


def test_scenes_are_drawn_with_their_captions(call: Call, tmp_path: Path) -> None:
    document = call("emoji", "render", "--count", "3", "--seed", "5", "--out", tmp_path, "--json").document
    assert document == json.loads((tmp_path / "scenes.json").read_text())
    assert [scene["file"] for scene in document["scenes"]] == ["0000.png", "0001.png", "0002.png"]
    for scene in document["scenes"]:
        with Image.open(tmp_path / scene["file"]) as picture:
            assert picture.size == (128, 128)
        reading = read(World.load(shipped_folder()), scene["caption"])
        assert list(reading.objects) == [placed["name"] for placed in scene["objects"]]
        assert reading.background == scene["background"]


def test_a_prompt_says_what_is_drawn(call: Call, tmp_path: Path) -> None:
    words = ("emoji", "render", "owl left of a cat, pink background", "--side", "64", "--out", tmp_path, "--json")
    (scene,) = call(*words).document["scenes"]
    assert scene["caption"] == "an owl left of a cat on a pink background"
    with Image.open(tmp_path / "0000.png") as picture:
        corner = np.asarray(picture)[0, 0]
        assert picture.size == (64, 64)
    assert tuple(corner) == World.load(shipped_folder()).backgrounds["pink"]


def test_held_out_scenes_are_held_out(call: Call, tmp_path: Path) -> None:
    words = ("emoji", "render", "--held-out", "--count", "20", "--out", tmp_path, "--json")
    for scene in call(*words).document["scenes"]:
        assert (scene["objects"][0]["name"], scene["background"]) in World.load(shipped_folder()).held_out


def test_the_same_seed_draws_the_same_scenes(call: Call, tmp_path: Path) -> None:
    for name in ("one", "two"):
        call("emoji", "render", "--seed", "9", "--out", tmp_path / name)
    assert (tmp_path / "one" / "0000.png").read_bytes() == (tmp_path / "two" / "0000.png").read_bytes()


def test_without_json_the_captions_are_printed(call: Call, tmp_path: Path) -> None:
    result = call("emoji", "render", "a small rocket on a white background", "--out", tmp_path)
    assert result.status == 0
    assert result.out == "0000.png  a small rocket on a white background\n"


def test_a_stage_can_be_trained_and_trained_on(call: Call, tmp_path: Path) -> None:
    words = ("emoji", "train", "--stages", "clip", "--shorten", "0.001", "--out", tmp_path, "--json")
    for _ in range(2):  # the second time it is already done
        document = call(*words).document
        assert document == {"folder": str(tmp_path / "family"), "stages": ["clip"], "seed": 0}
    assert (tmp_path / "family" / "clip" / "model.safetensors").exists()
    data = json.loads((tmp_path / "clip" / "run.json").read_text())["data"]
    batches = {"autoencoder_batch": 32, "clip_batch": 128, "base_batch": 64}
    assert data == {"examples": data["examples"], **batches}, "as in the records of the runs that are finished"


def test_a_shortened_recipe_has_fewer_steps_and_the_same_batches() -> None:
    recipe, quick = EmojiTrainingConfig(), EmojiTrainingConfig().shortened(0.5)
    assert quick.base_steps == recipe.base_steps // 2
    assert quick.scenes == recipe.scenes // 2
    assert quick.base_batch == recipe.base_batch
    assert EmojiTrainingConfig().shortened(1e-9).clip_steps == 1


def test_the_shipped_eye_is_measured(call: Call) -> None:
    document = call("emoji", "perceive", "--scenes", "20", "--json").document
    assert document["folder"].endswith("perception")
    for shown in ("scenes", "reconstructions"):
        assert document[shown]["objects"] >= 20
        assert document[shown]["category"] > 0.8
        assert document[shown]["iou"] > 0.8


def test_an_eye_can_be_trained(call: Call, tmp_path: Path) -> None:
    result = call("emoji", "perceive", "--shorten", "0.002", "--scenes", "2", "--out", tmp_path)
    assert result.status == 0
    assert result.out.splitlines()[0].split() == ["shown", "category", "mask", "IoU", "empty", "cells", "objects"]
    assert (tmp_path / "perception" / "model.safetensors").exists()


def test_an_eye_for_a_family_that_is_not_there_is_refused(call: Call, tmp_path: Path) -> None:
    assert "world.json" in call("emoji", "perceive", "--data", tmp_path).complaint


@pytest.mark.parametrize(
    ("prompt", "caption", "unused"),
    [
        ("a big blue cat on a white background", "a big cat on a white background", ["blue"]),
        ("a big cat on a white background on a blue background", "a big cat on a white background", ["blue"]),
    ],
)
def test_a_colour_that_cannot_be_drawn_is_named(
    call: Call, tmp_path: Path, prompt: str, caption: str, unused: list[str]
) -> None:
    result = call("emoji", "render", prompt, "--out", tmp_path / "out", "--json")
    assert result.document["unused"] == unused
    assert [scene["caption"] for scene in result.document["scenes"]] == [caption]
    assert all(f"“{word}”" in result.err for word in unused)
