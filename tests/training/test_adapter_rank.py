"""Adapters of a lower rank are the best ones of that rank."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hypersd.training.adapter_rank import layer_ranks, lower_rank, read_layers
from tests.cli.conftest import Call, call

__all__ = ["call"]


@pytest.mark.parametrize(("inner", "outer"), [((5,), ()), ((3, 3, 3), (1, 1))], ids=["linear", "convolution"])
def test_the_factors_are_the_truncated_singular_values(inner: tuple[int, ...], outer: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    down, up = torch.randn(4, *inner), torch.randn(6, 4, *outer)
    whole = up.flatten(1) @ down.flatten(1)
    left, values, right = torch.linalg.svd(whole, full_matrices=False)
    low_down, low_up = lower_rank(down, up, 2)
    assert (low_down.shape, low_up.shape) == ((2, *inner), (6, 2, *outer))
    torch.testing.assert_close(low_up.flatten(1) @ low_down.flatten(1), left[:, :2] * values[:2] @ right[:2])
    torch.testing.assert_close(lower_rank(down, up, 4), (down, up))


def test_an_adapter_is_written_in_a_lower_rank(call: Call, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = torch.randn(4, 8), torch.randn(8, 4)
    save_file({f"{path}.lora_A.weight": down, f"{path}.lora_B.weight": up}, tmp_path / "turbo.safetensors")
    words = ("shrink", tmp_path / "turbo.safetensors", "--rank", "2", "--json")
    document = call(*words, "--out", tmp_path / "small").document
    written = load_file(tmp_path / "small" / "turbo.safetensors")
    assert {key: tuple(value.shape) for key, value in written.items()} == {
        f"{path}.lora_A.weight": (2, 8),
        f"{path}.lora_B.weight": (8, 2),
    }
    values = torch.linalg.svdvals(up @ down).square()
    assert document["lost"] == pytest.approx(float(values[2:4].sum() / values.sum()), abs=1e-3)
    assert "turbo.safetensors" in call(*words, "--out", tmp_path).complaint, "it would replace its own input"
    kohya = {f"{path}.alpha": torch.ones(()), f"{path}.lora_A.weight": down, f"{path}.lora_B.weight": up}
    save_file(kohya, tmp_path / "other.safetensors")
    refused = call("shrink", tmp_path / "other.safetensors", "--rank", "2", "--out", tmp_path / "other")
    assert "give the file without .kohya" in refused.complaint


def test_adapters_are_merged_into_one_at_their_strengths(call: Call, tmp_path: Path) -> None:
    torch.manual_seed(0)
    attention = "unet.mid_block.attentions.0.transformer_blocks.0.attn1"
    first, second = (
        {name: (torch.randn(2, 8), torch.randn(8, 2)) for name in names}
        for names in ((f"{attention}.to_q", f"{attention}.to_k"), (f"{attention}.to_q", f"{attention}.to_v"))
    )
    for file, layers in (("first", first), ("second", second)):
        state = {key: value for path, (down, up) in layers.items() for key, value in _factors(path, down, up).items()}
        save_file(state, tmp_path / f"{file}.safetensors")
    words = ("merge", f"{tmp_path}/first.safetensors:0.3", f"{tmp_path}/second.safetensors:0.7", "--json", "--rank")
    document = call(*words, 4, "--out", tmp_path / "out").document
    assert document["lost"] < 1e-5
    assert [adapter["strength"] for adapter in document["adapters"]] == [0.3, 0.7]
    merged = {path: up @ down for path, (down, up) in read_layers(tmp_path / "out" / "merged.safetensors").items()}
    wanted = dict.fromkeys([*first, *second], torch.zeros(8, 8))
    for strength, layers in ((0.3, first), (0.7, second)):
        for path, (down, up) in layers.items():
            wanted[path] = wanted[path] + strength * up @ down
    assert merged.keys() == wanted.keys()
    for path, change in merged.items():
        torch.testing.assert_close(change.float(), wanted[path], atol=0.02, rtol=0.01)
    assert 0 < call(*words, 1, "--out", tmp_path / "low").document["lost"] < 1
    narrow = {key: value[:, :4] if "lora_A" in key else value for key, value in _factors(path, down, up).items()}
    save_file({key: value.contiguous() for key, value in narrow.items()}, tmp_path / "other.safetensors")
    files = (tmp_path / "second.safetensors", tmp_path / "other.safetensors")
    refused = call("merge", *files, "--rank", 2, "--out", tmp_path / "none")
    assert "is an adapter of another base" in refused.complaint
    on_the_hub = call("merge", "someone/lora/file.safetensors", "--rank", 2, "--out", tmp_path / "hub")
    assert "download it first" in on_the_hub.complaint


def test_layers_get_ranks_by_what_their_numbers_are_worth(call: Call, tmp_path: Path) -> None:
    """The file is the smallest of all with this loss; a layer that hardly changes anything is left out."""
    torch.manual_seed(0)
    attention = "unet.mid_block.attentions.0.transformer_blocks.0.attn1"
    layers = {
        f"{attention}.{name}": (
            torch.linalg.qr(torch.randn(wide, 3))[0].T,
            torch.linalg.qr(torch.randn(8, 3))[0] * sizes,
        )
        for name, wide, sizes in (
            ("to_q", 8, torch.tensor([10.0, 3.0, 1.0])),
            ("to_k", 40, torch.tensor([10.0, 3.0, 1.0])),
            ("to_v", 8, torch.tensor([0.1, 0.1, 0.1])),
        )
    }
    state = {key: value for path, (down, up) in layers.items() for key, value in _factors(path, down, up).items()}
    file = tmp_path / "style.safetensors"
    save_file(state, file)
    best = {name.rpartition(".")[2]: rank for name, rank in layer_ranks(layers, 0.051).items()}
    assert best == {"to_q": 2, "to_k": 1, "to_v": 0}
    document = call("shrink", file, "--lose", "0.051", "--out", tmp_path / "small", "--json").document
    assert document["lost"] == pytest.approx((9 + 1 + 1 + 0.03) / (2 * 110 + 0.03), rel=1e-3)
    written = load_file(tmp_path / "small" / "style.safetensors")
    assert {key.split(".")[-3]: value.shape[0] for key, value in written.items() if "lora_A" in key} == {
        "to_q": 2,
        "to_k": 1,
    }
    assert "nothing of" in call("shrink", file, "--lose", "1", "--out", tmp_path / "none").complaint
    assert "not allowed with" in call("shrink", file, "--lose", "1", "--rank", "2", "--out", tmp_path / "no").complaint


def _factors(path: str, down: torch.Tensor, up: torch.Tensor) -> dict[str, torch.Tensor]:
    return {f"{path}.lora_A.weight": down.contiguous(), f"{path}.lora_B.weight": up.contiguous()}
