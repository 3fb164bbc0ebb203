"""Adapters of a lower rank, and sums of adapters: the best approximation of each layer's difference of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    up_basis, left, values, right, down_basis = _decomposed(down, up)
    roots = values[:rank].sqrt()
    new_up, new_down = up_basis @ left[:, :rank] * roots, roots[:, None] * right[:rank] @ down_basis.T
    return new_down.reshape(rank, *down.shape[1:]), new_up.reshape(up.shape[0], rank, *up.shape[2:])


def _decomposed(down: Tensor, up: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Bases of `up` and of `down`, and between them the singular value decomposition of their product."""
    # R is small, so the singular values are those of the product of two small triangular matrices.
    up_basis, up_small = torch.linalg.qr(up.float().flatten(1))
    down_basis, down_small = torch.linalg.qr(down.float().flatten(1).T)
    left, values, right = torch.linalg.svd(up_small @ down_small.T)
    return up_basis, left, values, right, down_basis


def layer_ranks(layers: Mapping[str, tuple[Tensor, Tensor]], lose: float) -> dict[str, int]:
    """The rank of each layer with which the file is smallest while no more than a share of the adapter is lost.

    Singular values are kept in the order of their squares by the numbers that each takes, over all layers, so a layer
    that the adapter hardly changes gets a low rank, or 0.

    Args:
        layers: factors as for `lower_rank`, by name.
        lose: the share of the squared differences of weights, 0 to 1.
    """
    ranks = dict.fromkeys(layers, 0)
    gains: list[tuple[float, float, str]] = []
    for name, (down, up) in layers.items():
        numbers = (down.numel() + up.numel()) / down.shape[0]
        gains += [(square / numbers, square, name) for square in _decomposed(down, up)[2].square().tolist()]
    left = sum(square for _, square, _ in gains)
    most = lose * left
    for _, square, name in sorted(gains, reverse=True):
        if left <= most:
            break
        ranks[name] += 1
        left -= square
    return ranks


def read_layers(file: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """The factors of each layer of an adapter of `save_adapter`, by its path.

    Raises:
        OSError: the file is missing, damaged or no adapter.
        ValueError: it has another key format than diffusers'.
    """
    inspect(file)
    state = load_file(file)
    paths = [key.removesuffix(_DOWN) for key in state if key.endswith(_DOWN)]
    if set(state) != {path + factor for path in paths for factor in (_DOWN, _UP)}:
        raise ValueError(
            f"{file} is not in diffusers' key format, as `distill` writes it; give the file without .kohya"
        )
    return {path: (state[path + _DOWN], state[path + _UP]) for path in paths}


def write_layers(
    layers: Mapping[str, tuple[Tensor, Tensor]], target: Path, *, rank: int | None = None, lose: float = 0.0
) -> float:
    """Write layers as an adapter of a lower rank, in half precision.

    Args:
        layers: of `read_layers`.
        target: the file.
        rank: of all layers, at least 1; None chooses each layer's by `lose`, see `layer_ranks`.
        lose: the share of the squared differences of weights that may be lost.

    Returns:
        The share of the squared differences of weights that is lost, 0 to 1.

    Raises:
        OSError: the file cannot be written.
        ValueError: nothing would be left.
    """
    ranks = layer_ranks(layers, lose) if rank is None else dict.fromkeys(layers, rank)
    smaller: dict[str, Tensor] = {}
    whole = lost = 0.0
    for path, (down, up) in layers.items():
        low_down, low_up = lower_rank(down, up, ranks[path])
        before = up.float().flatten(1) @ down.float().flatten(1)
        whole += float(before.square().sum())
        lost += float((before - low_up.flatten(1) @ low_down.flatten(1)).square().sum())
        if ranks[path]:
            smaller |= {path + _DOWN: low_down.half().contiguous(), path + _UP: low_up.half().contiguous()}
    if not smaller:
        raise ValueError(f"nothing of {target.name} would be left; lose less of it")
    with atomic_path(target, durable=True) as part:
        save_file(smaller, part)
    return lost / whole if whole else 0.0


def shrink_adapter(file: Path, target: Path, *, rank: int | None = None, lose: float = 0.0) -> float:
    """Write an adapter with a lower rank; see `write_layers`. `target` may be the same file.

    Raises:
        OSError, ValueError: as `read_layers` and `write_layers`.
    """
    return write_layers(read_layers(file), target, rank=rank, lose=lose)


def merge_adapters(
    adapters: Sequence[tuple[Path, float]], target: Path, *, rank: int | None = None, lose: float = 0.0
) -> float:
    """Write the weighted sum of adapters' differences of weights as one adapter; see `write_layers`.

    Args:
        adapters: each with its factor; of one base.
        target: the file.
        rank: as for `write_layers`.
        lose: as for `write_layers`.

    Raises:
        OSError: as `read_layers` and `write_layers`.
        ValueError: as there; or the adapters are of different bases.
    """
    merged: dict[str, tuple[Tensor, Tensor]] = {}
    for file, factor in adapters:
        for path, (down, up) in read_layers(file).items():
            addend = down.float(), factor * up.float()
            earlier = merged.get(path)
            try:
                # B₁A₁ + B₂A₂ = [B₁, B₂]·[A₁; A₂]
                merged[path] = addend if earlier is None else _stacked(earlier, addend)
            except RuntimeError as error:
                raise ValueError(f"{file} is an adapter of another base than the files before it: {path}") from error
    return write_layers(merged, target, rank=rank, lose=lose)


def _stacked(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return torch.cat([first[0], second[0]]), torch.cat([first[1], second[1]], dim=1)
