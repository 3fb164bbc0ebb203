"""Feedback from Python, as README shows it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

import hypersd
from tests.feedback.conftest import noisy


def test_a_model_is_tuned_with_what_a_reward_model_likes(
    reward: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = shutil.copytree(folder, tmp_path / "family")
    world = json.loads((family / "world.json").read_text())
    world["objects"]["fox"] = "sprites/dog.webp"  # on white no cat is shown, and a pair takes two others
    (family / "world.json").write_text(json.dumps(world))
    monkeypatch.setenv("HYPERSD_EMOJI", str(family))
    model = hypersd.RewardModel.load(reward)
    dark, bright = model.score([noisy(50, 1), noisy(210, 2)], ["a cat", "a cat"])
    assert bright > dark

    adapters = family / "adapters"
    shutil.copy(adapters / "hyper.safetensors", adapters / "turbo.safetensors")
    (tuned,) = hypersd.feedback.tune("turbo", rewards=[reward], out=tmp_path / "tuned", shorten=0.02)
    assert tuned.adapter == tmp_path / "tuned" / "turbo" / "adapter.safetensors"
    assert load_file(tuned.adapter).keys() >= load_file(adapters / "turbo.safetensors").keys()
