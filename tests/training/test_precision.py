"""Half precision where the machine has it, and only there."""

from __future__ import annotations

import pytest
import torch

from hypersd.training.precision import Precision, half_precision

CPU = torch.device("cpu")


def computed_in(precision: Precision = "bf16") -> torch.dtype:
    with half_precision(CPU, precision):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize("feature", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_a_processor_that_computes_in_half_precision_is_asked_to(feature: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, feature, lambda: True)
    assert computed_in() == torch.bfloat16
    assert computed_in("no") == torch.float32


def test_one_that_would_imitate_it_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    for feature in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, feature, lambda: False)
    assert computed_in() == torch.float32
