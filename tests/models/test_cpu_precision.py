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
