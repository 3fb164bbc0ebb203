"""Arrays that are computed once and read many times: float16 rows in shards on disk, memory-mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from hypersd.training.processes import joined_processes
from hypersd.training.shared_files import Source, make_files
from hypersd.utils.files import atomic_path
from hypersd.utils.readers import check_array

SHARD_BYTES = 64 << 20
"""Size of a shard in bytes: a killed process loses at most the work on one shard."""

_OPEN = 64
"""Largest number of shards mapped at a time: each takes a file descriptor."""

ComputeRows = Callable[[range], Tensor]
"""Function from row numbers to rows, `(B, *shape)`."""


class RowArray(Protocol):
    """An array of float16 whose rows are read by their numbers: a NumPy array, or `RowShards`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, and shape of each."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> NDArray[np.float16]: ...


@dataclass(frozen=True, eq=False)
class RowShards:
    """Rows in shards as one array: `shards[numbers]` reads those rows and no others.

    Args:
        files: the shards, in order.
        shape: of the whole array, `(N, *shape of a row)`.
        per_shard: rows in each shard but the last, which may have fewer.
    """

    files: Sequence[Path]
    shape: tuple[int, ...]
    per_shard: int
    _mapped: Callable[[int], NDArray[np.float16]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        def mapped(number: int) -> NDArray[np.float16]:
            return np.load(self.files[number], mmap_mode="r", allow_pickle=False)

        object.__setattr__(self, "_mapped", lru_cache(maxsize=_OPEN)(mapped))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(
        self, key: NDArray[np.integer[Any]] | tuple[NDArray[np.integer[Any]], ...], /
    ) -> NDArray[np.float16]:
        """Rows by their numbers `(B,)`; with more arrays `(B,)`, places within each row, as NumPy indexes.

        Raises:
            IndexError: there is no row of such a number.
        """
        numbers, *places = key if isinstance(key, tuple) else (key,)
        if len(numbers) and not (numbers.min() >= 0 and numbers.max() < len(self)):
            raise IndexError(f"rows {numbers.min()} to {numbers.max()} of {len(self)}")
        result = np.empty((len(numbers), *self.shape[1 + len(places) :]), dtype=np.float16)
        shards, rows = np.divmod(numbers, self.per_shard)
        for shard in np.unique(shards):
            here = shards == shard
            result[here] = self._mapped(int(shard))[(rows[here], *(place[here] for place in places))]
        return result


def write_shards(
    folder: Path,
    compute: ComputeRows,
    *,
    count: int,
    shape: tuple[int, ...],
    source: Source,
    batch_size: int,
    label: str,
    shard_bytes: int = SHARD_BYTES,
) -> RowShards:
    """Compute the missing shards of an array, together with the run's other processes; return the array.

    Args:
        folder: of the shards.
        compute: computes rows.
        count: of rows.
        shape: of a row.
        source: everything that determines the rows; see `make_files`.
        batch_size: rows computed at a time.
        label: name of the rows for the progress bar and errors: "latents".
        shard_bytes: size of a shard.

    Raises:
        ValueError: the folder has rows of another source, or a damaged file; or a row is not finite in float16.
        OSError: it cannot be written.
    """
    per_shard = max(1, shard_bytes // (2 * prod(shape)))
    starts = range(0, count, per_shard)
    names = [f"{number:06d}.npy" for number in range(len(starts))]

    def make(numbers: Sequence[int]) -> None:
        shown = bool(numbers) and joined_processes().is_main_process
        for number in tqdm(numbers, desc=label, unit="shard", disable=not shown):
            rows = range(starts[number], min(count, starts[number] + per_shard))
            write_rows(folder / names[number], compute, rows, batch_size=batch_size, label=label)

    described = {**source, "rows": count, "shape": list(shape), "rows in a shard": per_shard}
    make_files(folder, names, make, source=described, label=label)
    files = [folder / name for name in names]
    for file in files:
        check_array(file, shape, label)
    return RowShards(files, (count, *shape), per_shard)


@torch.no_grad()
def write_rows(file: Path, compute: ComputeRows, rows: range, *, batch_size: int, label: str) -> None:
    """Write rows as one array of float16, in batches; the file appears when it is complete.

    Args:
        file: target (`.npy`).
        compute: computes rows.
        rows: row numbers, at least one.
        batch_size: rows computed at a time.
        label: name of the rows for the progress bar and errors.

    Raises:
        ValueError: a row contains a number that is not finite in float16.
        OSError: the file cannot be written.
    """
    with atomic_path(file) as part:
        array: NDArray[np.float16] | None = None
        for start in tqdm(rows[::batch_size], desc=f"{label} {file.stem}", leave=False):
            numbers = range(start, min(rows.stop, start + batch_size))
            block = compute(numbers).half().cpu().numpy()
            if not np.isfinite(block).all():
                raise ValueError(f"{label} {numbers.start} to {numbers.stop - 1} are not finite in half precision")
            if array is None:
                array = np.lib.format.open_memmap(
                    part, mode="w+", dtype=np.float16, shape=(len(rows), *block.shape[1:])
                )
            array[start - rows.start : numbers.stop - rows.start] = block
        if array is not None:
            array.flush()
