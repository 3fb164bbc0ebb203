"""A folder of drawn scenes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from hypersd.emoji.captions import caption
from hypersd.emoji.training.scene_folder import random_scenes, scene_files, write_scenes
from hypersd.emoji.world import World


def test_scenes_are_written_with_their_captions_and_records(world: World, tmp_path: Path) -> None:
    scenes = random_scenes(world, 2, seed=5)
    assert scenes == random_scenes(world, 2, seed=5) != random_scenes(world, 2, seed=6)
    document = write_scenes(tmp_path, world, scenes, seed=5, side=64)
    assert document == json.loads((tmp_path / "scenes.json").read_text())
    assert {file.name for file in tmp_path.iterdir()} == {*scene_files(2), "scenes.json"}
    for record, scene in zip(document["scenes"], scenes, strict=True):
        assert record["caption"] == caption(scene)
        with Image.open(tmp_path / record["file"]) as picture:
            assert picture.size == (64, 64)
            assert json.loads(picture.text["hypersd"]) == {"seed": 5, "side": 64, **record}  # type: ignore[attr-defined]


def test_a_prompt_decides_what_is_shown(world: World, tmp_path: Path) -> None:
    prompt = "a big blue cat on a white background"
    document = write_scenes(
        tmp_path, world, random_scenes(world, 1, seed=0, prompt=prompt), seed=0, side=32, prompt=prompt
    )
    assert [scene["caption"] for scene in document["scenes"]] == ["a big cat on a white background"]
    assert document["unused"] == ["blue"]
    with pytest.raises(ValueError, match="cannot draw 'dinosaur'"):
        random_scenes(world, 1, seed=0, prompt="a dinosaur")
