"""`emoji rebuild`: everything that ships, at tiny size."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors import safe_open

from tests.cli.broken import build_reward
from tests.cli.conftest import Call


def test_the_plan_is_printed_and_nothing_is_run(call: Call, tmp_path: Path) -> None:
    words = ("emoji", "rebuild", "--out", tmp_path / "out", "--dry-run")
    stages = call(*words, "--json").document
    assert [stage["name"] for stage in stages][:4] == ["family", "perception", "tscd", "unified"]
    assert not any(stage["done"] for stage in stages)
    assert "evaluation  to do  evaluate --count 256" in call(*words).out
    assert not (tmp_path / "out").exists()


def test_bad_input_is_one_sentence(call: Call, tmp_path: Path) -> None:
    words = ("emoji", "rebuild", "--out", tmp_path / "out")
    assert "no reward model" in call(*words, "--reward", tmp_path).complaint
    assert "--batch: the batch must be a whole number" in call(*words, "--batch", "0").complaint
    assert not (tmp_path / "out").exists()


def test_everything_is_made_measured_and_written_down_once(
    call: Call, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))
    reward = tmp_path / "reward"
    build_reward(reward, root / "assets" / "emoji-xl" / "clip")
    words = ("emoji", "rebuild", "--out", tmp_path / "out", "--shorten", "0.001", "--batch", "2", "--reward", reward)
    words = (*words, "--json")
    family = Path(call(*words).document["family"])
    names = {file.stem for file in (family / "adapters").iterdir()}
    assert {"hyper", "hyper-1-step", "hyper-backward", "lightning", "turbo", "lcm", "tcd", "perflow"} <= names
    for file in (family / "adapters").iterdir():
        with safe_open(file, framework="numpy") as opened:
            assert opened.keys()
    card = (family / "README.md").read_text()
    assert "| hyper | 4 |" in card
    assert f"emoji rebuild --out {tmp_path / 'out'} --seed 0 --shorten 0.001 --batch 2 --reward {reward}" in card
    assert "| feedback | – |" in card
    stamps = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "stages").iterdir()}
    (tmp_path / "out" / "lcm" / "segments-1.safetensors").unlink()
    assert call(*words).status == 0
    again = {file.stem for file, stamp in stamps.items() if file.stat().st_mtime_ns != stamp}
    assert again == {"lcm"}, "nothing else is trained or measured again"
