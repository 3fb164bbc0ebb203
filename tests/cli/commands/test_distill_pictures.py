"""`distill --data SOURCE`: captioned pictures in the place of the embedded family's scenes, for any family."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file

from hypersd.models.families.sd15 import SD15
from hypersd.models.families.sdxl import SDXL
from hypersd.models.loading import Loader
from hypersd.models.model_source import ModelSource
from hypersd.models.specs import Family
from tests.cli.conftest import Call
from tests.families import hub_cache, machine, write_emoji
from tests.training.sources.conftest import write_folder

WORDS = ("--steps", "1", "--batch", "2", "--rank", "2")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve captioned pictures of 36 by 24 pixels."""
    return write_folder(tmp_path / "pictures", {f"{number}.png": f"picture {number}" for number in range(12)})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache, with nothing in it, and no network."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return cache


@pytest.mark.parametrize(
    ("family", "words", "adapters"),
    [
        (SDXL, "tscd --stages segments-8,segments-4", ["segments-4", "segments-8"]),
        (SDXL, "lcm", ["segments-1"]),
        (SD15, "lcm", ["segments-1"]),
    ],
)
@pytest.mark.usefixtures("cache")
def test_a_family_of_the_hub_learns_from_a_folder_of_pictures(  # noqa: PLR0917 - fixtures and a row
    call: Call, tmp_path: Path, pictures: Path, family: Family, words: str, adapters: list[str]
) -> None:
    hub_cache(family, tmp_path / "hub")
    options = (*words.split(), "--family", family.name, "--data", pictures, *WORDS)
    document = call("distill", *options, "--out", tmp_path / "out", "--json").document
    assert document["adapters"] == [f"{name}.safetensors" for name in adapters]
    pipeline: Any = Loader(family, machine(tmp_path / "hub"), lambda _: None).source().pipeline(torch.float32)
    for name in adapters:
        pipeline.load_lora_weights(tmp_path / "out", weight_name=f"{name}.safetensors", adapter_name=name)
    assert sorted(pipeline.get_list_adapters()["unet"]) == adapters


def test_the_embedded_family_learns_from_pictures_and_goes_on_where_it_broke_off(
    call: Call, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_emoji(tmp_path / "family", [])
    monkeypatch.setenv("HYPERSD_EMOJI", str(tmp_path / "family"))
    stages = ("--stages", "segments-8,segments-4")
    (pictures / "broken.png").write_bytes(b"no picture")
    with (pictures / "metadata.jsonl").open("a") as file:
        file.write('{"file_name": "broken.png", "text": "a broken one"}\n')
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    words = ("distill", "tscd", "--data", pictures, *WORDS, *stages)
    result = call(*words, "--out", whole)
    assert result.status == 0, result.err
    assert "1 of 13 examples cannot be used" in result.err
    assert "broken.png" in (whole / "pictures" / "rejected.csv").read_text()
    pipeline: Any = ModelSource(tmp_path / "family").pipeline(torch.float32)
    pipeline.load_lora_weights(whole, weight_name="segments-4.safetensors")

    shutil.copytree(whole, broken)  # as it was when the second stage had not begun
    (broken / "segments-4.safetensors").unlink()
    shutil.rmtree(broken / "segments-4")
    files = [file for name in ("latents", "text", "pictures") for file in (broken / name).iterdir()]
    cached = {file: file.stat().st_mtime_ns for file in files if file.name != "rejected.csv"}
    assert "--resume" in call(*words, "--out", broken).complaint
    assert call(*words, "--out", broken, "--resume").status == 0
    resumed, unbroken = (load_file(folder / "segments-4.safetensors") for folder in (broken, whole))
    assert all(torch.equal(resumed[name], weight) for name, weight in unbroken.items())
    assert all(file.stat().st_mtime_ns == time for file, time in cached.items()), "nothing is computed twice"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("tscd --family sdxl", "sdxl cannot be distilled without pictures"),
        ("tscd --family sd15 --data empty", "empty holds no pictures to train on"),
        ("tscd --family sdxl --data gone", "gone"),
        ("tscd --family sdxl --data note.md", "note.md is no source of pictures; give a folder"),
        ("tscd --data s3://bucket/pictures", "is no source of pictures"),
        ("tscd --caption-column words", "--caption-column is for pictures"),
        ("tscd --data empty", "empty is empty: it holds nothing to train on; leave out --data for new scenes"),
        ("tscd --data empty --dry-run", "empty is empty"),
        ("tscd --data parent --out parent/out", "parent holds no pictures to train on"),
        ("tscd --data pictures --caption-column words", "has no column words for captions; it has text"),
        ("tscd --data pictures --out pictures/out", "is among the pictures"),
        ("backward --family sdxl --data pictures", "name one for sdxl with --adapter"),
        ("one-step --family sd15 --data pictures", "name one for sd15 with --adapter"),
        ("turbo --family sdxl --data pictures", "and sdxl has none"),
        ("tscd --family sdxl --data pictures", "is not downloaded"),
    ],
)
def test_what_is_missing_is_said_before_any_work(  # noqa: PLR0917 - fixtures
    call: Call,
    tmp_path: Path,
    cache: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    said: str,
) -> None:
    assert not cache.exists()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "parent" / "out").mkdir(parents=True)
    (tmp_path / "note.md").write_text("no pictures")
    given = words.split()
    out = () if "--out" in given else ("--out", "out")
    assert said in call("distill", *given, *out).complaint
    assert not (tmp_path / "out").exists()
    assert not (pictures / "out").exists()
