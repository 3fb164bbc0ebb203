"""Training states survive a crash, and damage is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hypersd.training.checkpoints import load_state, optimizer_tensors, restore_optimizer, save_state
from hypersd.training.states import NUMBERS


def test_a_state_comes_back_as_it_was_and_the_old_one_goes(tmp_path: Path) -> None:
    save_state(tmp_path, {"a": torch.zeros(2)}, {"step": 1})
    save_state(tmp_path, {"a": torch.ones(2)}, {"step": 2})
    tensors, numbers = load_state(tmp_path) or ({}, {})
    assert numbers == {"step": 2}
    assert torch.equal(tensors["a"], torch.ones(2))
    assert len(list(tmp_path.iterdir())) == 2


def test_no_state_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None


def test_a_crash_while_saving_leaves_the_old_state(tmp_path: Path) -> None:
    save_state(tmp_path, {"a": torch.zeros(2)}, {"step": 1})
    (tmp_path / "step-2.state.safetensors.part").write_bytes(b"half a file")
    tensors, numbers = load_state(tmp_path) or ({}, {})
    assert numbers == {"step": 1}
    assert torch.equal(tensors["a"], torch.zeros(2))


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", "null", '{"tensors": "a"}', '{"tensors": "a", "step": "x"}'])
def test_a_damaged_state_says_what_to_do(tmp_path: Path, damage: str) -> None:
    (tmp_path / NUMBERS).write_text(damage)
    with pytest.raises(ValueError, match=rf"{NUMBERS} is .*; delete {tmp_path}"):
        load_state(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 60])
def test_a_truncated_tensor_file_is_named(tmp_path: Path, kept: int) -> None:
    save_state(tmp_path, {"a": torch.zeros(20)}, {"step": 1})
    file = tmp_path / "step-1.state.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"{file} is .*; delete {tmp_path}"):
        load_state(tmp_path)
    file.unlink()
    with pytest.raises(ValueError, match=rf"{file}: No such file.*; delete {tmp_path}"):
        load_state(tmp_path)


def test_an_optimiser_takes_no_other_parameters_state() -> None:
    wide, narrow = (torch.nn.Parameter(torch.ones(size)) for size in (3, 2))
    optimizer = torch.optim.AdamW([wide])
    wide.sum().backward()
    optimizer.step()
    tensors = optimizer_tensors(optimizer, "optimizer.a")
    restore_optimizer(torch.optim.AdamW([wide]), tensors, "optimizer.a")
    with pytest.raises(ValueError, match=r"optimizer\.a\.0\.exp_avg"):
        restore_optimizer(torch.optim.AdamW([narrow]), tensors, "optimizer.a")
