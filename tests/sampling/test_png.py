"""Pictures as files: whole or not there, and with the texts that they were given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hypersd.models.registry import FAMILIES
from hypersd.sampling.png import write_png
from hypersd.sampling.record import picture_texts, run_record
from hypersd.sampling.request import Generation, Request, Run

TEXTS = {"prompt": "café, 猫 and 🐱", "seed": "7"}


def test_texts_in_any_script_come_back(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", Image.new("RGB", (8, 8), "red"), TEXTS)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.text == TEXTS
        assert picture.getpixel((0, 0)) == (255, 0, 0)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


class Interrupted(Image.Image):
    """A picture whose writing is broken off in the middle."""

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002 - the library's
        Path(fp).write_bytes(b"\x89PNG")
        raise KeyboardInterrupt


def test_what_is_interrupted_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    write_png(file, Image.new("RGB", (8, 8), "red"), TEXTS)
    before = file.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_png(file, Interrupted(), TEXTS)
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_parameters_are_as_other_tools_write_them() -> None:
    """Prompt in the first line, then `name: value` with commas, as the web UI of AUTOMATIC1111 reads them."""
    family = FAMILIES["sdxl"]
    request = Request(prompt="a fox, in snow", seed=7, family="sdxl", runs=(Run(model="base", steps=25),))
    image = Image.new("RGB", (1024, 1024))
    drawn = Generation(model="base", steps=25, calls=50, guidance_scale=7.5, seconds=1.0, image=image)
    recipe = family.spec("base").recipe(25)
    texts = picture_texts(request, run_record(drawn, family, None, "ab" * 32), {}, image.size)
    sampler = {"EulerDiscreteScheduler": "Euler"}[recipe.scheduler.name]
    assert texts["parameters"].splitlines() == [
        "a fox, in snow",
        (
            f"Steps: 25, Sampler: {sampler}, CFG scale: 7.5, Seed: 7, Size: 1024x1024, Model: sdxl-base, "
            "Model hash: ababababab, Version: hypersd 0.1.0"
        ),
    ]
