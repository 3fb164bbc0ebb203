"""Faults of published files: one sentence about the model that has it, and the others are drawn."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from hypersd.models.registry import FAMILIES
from tests import families
from tests.cli.conftest import Call, Result

HYPER = "Hyper-SD15-4steps-lora.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with some of the cards of SD1.5, without a fault."""
    cache = tmp_path_factory.mktemp("hub")
    sd15 = FAMILIES["sd15"]
    families.hub_cache(replace(sd15, specs=tuple(sd15.spec(name) for name in ("base", "hyper", "lcm"))), cache)
    return cache


@pytest.fixture
def cache(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to spoil."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))
    return shutil.copytree(whole, tmp_path / "hub", symlinks=True)


def compared(call: Call, out: Path, *more: object) -> Result:
    words = ("compare", "a red fox", "--family", "sd15", "--steps", "4", "--size", "256", "--out", out, *more)
    return call(*words)


def cut(file: Path) -> None:
    blob = file.resolve()
    blob.write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])


def change(file: Path) -> None:
    """One bit of one weight."""
    blob = file.resolve()
    data = bytearray(blob.read_bytes())
    data[-3] ^= 1
    blob.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "said", "status"),
    [
        (cut, f"without hyper: .*{HYPER} is damaged or incomplete", 0),
        (Path.unlink, "without hyper: not downloaded and no network", 0),
        (change, f"hyper at 4 steps: .*{HYPER} is not the published file .*; delete ", 1),
    ],
    ids=["cut", "missing", "changed"],
)
def test_a_spoilt_adapter_is_named_and_the_others_are_drawn(  # noqa: PLR0917 - a row of the table
    call: Call, cache: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str, status: int
) -> None:
    spoil(families.hub_file(cache, "ByteDance/Hyper-SD", HYPER))
    result = compared(call, tmp_path / "out")
    assert result.status == status
    assert len([line for line in result.err.splitlines() if re.search(said, line)]) == 1
    assert {file.name for file in (tmp_path / "out").glob("*.png")} == {"base.png", "lcm.png", "grid.png"}
    assert "Traceback" not in result.err


def test_a_missing_file_of_another_number_of_steps_is_known_before_anything_is_drawn(
    call: Call, cache: Path, tmp_path: Path
) -> None:
    families.hub_file(cache, "ByteDance/Hyper-SD", "Hyper-SD15-2steps-lora.safetensors").unlink()
    result = compared(call, tmp_path / "named", "--models", "hyper,lcm", "--steps", "2")
    assert result.status == 2
    assert "hyper at 2 steps cannot be run here: not downloaded and no network" in result.err
    assert not (tmp_path / "named").exists()
    result = compared(call, tmp_path / "out", "--steps", "2")
    assert result.status == 0
    assert "without hyper at 2 steps: not downloaded and no network" in result.err
    assert (tmp_path / "out" / "lcm.png").exists()


def test_a_changed_base_is_refused(call: Call, cache: Path, tmp_path: Path) -> None:
    change(families.hub_file(cache, str(FAMILIES["sd15"].repository), "vae/diffusion_pytorch_model.fp16.safetensors"))
    result = compared(call, tmp_path / "out", "--models", "lcm")
    assert result.status == 1
    assert "vae/diffusion_pytorch_model.fp16.safetensors is not the published file" in result.err
