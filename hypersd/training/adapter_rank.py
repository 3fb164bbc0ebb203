"""Adapters of a lower rank: the best approximation of each layer's difference of weights, for smaller files."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hypersd.models.adapter_file import inspect
from hypersd.utils.files import atomic_path

_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


def lower_rank(down: Tensor, up: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The factors of the matrix of this rank that is closest to `up @ down` (Eckart and Young 1936).

    Args:
        down: `(R, inputs)`, or `(R, channels, height, width)` of a convolution.
        up: `(outputs, R)`, or `(outputs, R, 1, 1)`.
        rank: at most R; factors of a lower rank are returned as they are.

    Returns:
        Factors of the same kind and of balanced size, in float32.
    """
    if rank >= down.shape[0]:
        return down.float(), up.float()
    # R is small, so the singular values are those of the product of two small triangular matrices.
    up_basis, up_small = torch.linalg.qr(up.float().flatten(1))
    down_basis, down_small = torch.linalg.qr(down.float().flatten(1).T)
    left, values, right = torch.linalg.svd(up_small @ down_small.T)
    roots = values[:rank].sqrt()
    new_up, new_down = up_basis @ left[:, :rank] * roots, roots[:, None] * right[:rank] @ down_basis.T
    return new_down.reshape(rank, *down.shape[1:]), new_up.reshape(up.shape[0], rank, *up.shape[2:])


def shrink_adapter(file: Path, target: Path, rank: int) -> float:
    """Write an adapter of `save_adapter` with a lower rank, in half precision.

    Args:
        file: the adapter, in diffusers' key format.
        target: may be the same file.
        rank: at least 1.

    Returns:
        The share of the squared differences of weights that is lost, 0 to 1.

    Raises:
        OSError: the file is missing, damaged or no adapter; or `target` cannot be written.
        ValueError: it has another key format.
    """
    inspect(file)
    state = load_file(file)
    paths = [key.removesuffix(_DOWN) for key in state if key.endswith(_DOWN)]
    if set(state) != {path + factor for path in paths for factor in (_DOWN, _UP)}:
        raise ValueError(
            f"{file} is not in diffusers' key format, as `distill` writes it; give the file without .kohya"
        )
    smaller: dict[str, Tensor] = {}
    whole = lost = 0.0
    for path in paths:
        down, up = state[path + _DOWN], state[path + _UP]
        low_down, low_up = lower_rank(down, up, rank)
        before = up.float().flatten(1) @ down.float().flatten(1)
        whole += float(before.square().sum())
        lost += float((before - low_up.flatten(1) @ low_down.flatten(1)).square().sum())
        smaller |= {path + _DOWN: low_down.half().contiguous(), path + _UP: low_up.half().contiguous()}
    with atomic_path(target, durable=True) as part:
        save_file(smaller, part)
    return lost / whole if whole else 0.0
