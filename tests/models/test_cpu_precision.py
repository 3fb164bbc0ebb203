"""Precision in which a family is computed on a CPU."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from hypersd.models import cpu_precision
from hypersd.models.cpu_precision import bfloat16_is_faster, compute_dtype
from hypersd.models.families.sd15 import SD15
from hypersd.models.loading import Loader
from hypersd.models.registry import BASE, largest_gb, memory_shortage, needed_gb
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


def test_what_is_said_to_fit_is_loaded_so_that_it_does(downloaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PeRFlow's UNet stands beside the base's: both in float32 take more than the base alone."""
    monkeypatch.setattr(cpu_precision, "bfloat16_is_faster", lambda: False)
    weights = SD15.spec("perflow").recipe().weights
    base, both = (needed_gb(SD15, each, families.machine(downloaded)) for each in (BASE, weights))
    assert base < both == largest_gb(SD15, families.machine(downloaded, memory_gb=64.0))
    for memory in (1.9 * base, 2.1 * base, 1.9 * both, 2.1 * both):
        here = families.machine(downloaded, memory_gb=memory, bfloat16=True)
        half = compute_dtype(SD15, here) == torch.bfloat16
        taken = both if half else 2 * both
        assert (memory_shortage(both, here, of_published=both) == "") == (taken <= memory)
        assert half == (2 * both > memory)


def test_the_precision_of_a_run_is_not_asked_of_the_files_again(downloaded: Path) -> None:
    loader = Loader(SD15, families.machine(downloaded, memory_gb=16.0), lambda _: None)
    before = loader.dtype
    shutil.rmtree(downloaded)
    assert loader.dtype == before


def test_a_small_family_stays_in_float32(emoji: Family, sd15: Family, cache: Path) -> None:
    for family in (emoji, sd15):
        assert compute_dtype(family, families.machine(cache, memory_gb=64.0, bfloat16=True)) == torch.float32


def test_the_probe_answers() -> None:
    assert bfloat16_is_faster() in (True, False)
