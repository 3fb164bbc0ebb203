"""Precision in which a family is computed on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hypersd.models import cpu_precision
from hypersd.models.cpu_precision import bfloat16_is_faster, compute_dtype
from hypersd.models.families.sd15 import SD15
from hypersd.models.specs import Family
from tests import families


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    """A Hub cache with a sparse file of SD1.5's size in the place of its UNet."""
    folder = tmp_path / f"models--{str(SD15.repository).replace('/', '--')}"
    unet = folder / "snapshots" / "0" / "unet"
    unet.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0")
    with (unet / "diffusion_pytorch_model.fp16.safetensors").open("wb") as file:
        file.truncate(1_720_000_000)
    return tmp_path


@pytest.mark.parametrize(("faster", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_large_family_comes_in_what_is_faster(
    downloaded: Path, monkeypatch: pytest.MonkeyPatch, *, faster: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(cpu_precision, "bfloat16_is_faster", lambda: faster)
    assert compute_dtype(SD15, families.machine(downloaded, memory_gb=16.0, bfloat16=True)) == dtype
    assert compute_dtype(SD15, families.machine(downloaded, memory_gb=16.0)) == torch.float32
    tight = families.machine(downloaded, memory_gb=5.0, bfloat16=True)
    assert compute_dtype(SD15, tight) == torch.bfloat16, "float32 does not fit"
    assert compute_dtype(SD15, families.machine(downloaded, device="cuda", precision="float16")) == torch.float16


def test_a_small_family_stays_in_float32(emoji: Family, sd15: Family, cache: Path) -> None:
    for family in (emoji, sd15):
        assert compute_dtype(family, families.machine(cache, memory_gb=64.0, bfloat16=True)) == torch.float32


def test_the_probe_answers() -> None:
    assert bfloat16_is_faster() in (True, False)
