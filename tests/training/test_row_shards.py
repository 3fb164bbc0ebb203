"""Arrays in shards: made once, by one process or several, and read row by row."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import PartialState
from torch import Tensor

from hypersd.training.row_shards import RowShards, write_shards
from hypersd.training.shared_files import MANIFEST
from tests.processes import Processes

COUNT, SHAPE = 23, (3, 2)


def numbered(rows: range) -> Tensor:
    """Rows that hold their number and, for each place, a different offset."""
    places = torch.arange(6).view(SHAPE) / 8
    return torch.tensor([*rows]).view(-1, 1, 1) + places


def written(folder: Path, compute: Any = numbered, **changed: Any) -> RowShards:
    """Shards of four rows."""
    given = {"count": COUNT, "shape": SHAPE, "source": {"data": "a"}, "batch_size": 3, "label": "numbers"}
    return write_shards(folder, compute, **{**given, "shard_bytes": 48, **changed})


def test_rows_are_read_as_from_one_array(tmp_path: Path) -> None:
    shards, whole = written(tmp_path), numbered(range(COUNT)).half().numpy()
    assert len(shards) == COUNT
    assert shards.shape == (COUNT, *SHAPE)
    assert sorted(file.name for file in tmp_path.glob("*.npy")) == [f"{number:06d}.npy" for number in range(6)]
    rng = np.random.default_rng(0)
    for numbers in (rng.integers(COUNT, size=40), np.array([22, 0, 22]), np.array([], dtype=int)):
        assert np.array_equal(shards[numbers], whole[numbers])
        places = rng.integers(3, size=len(numbers))
        assert np.array_equal(shards[numbers, places], whole[numbers, places])
    for outside in (-1, COUNT):
        with pytest.raises(IndexError):
            shards[np.array([0, outside])]


def test_more_shards_than_are_open_at_a_time_are_read(tmp_path: Path) -> None:
    shards = written(tmp_path, count=200, shard_bytes=12)
    assert np.array_equal(shards[np.arange(200)[::-1]], numbered(range(200)).half().numpy()[::-1])


def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "000002.npy").unlink()
    asked: list[range] = []

    def compute(rows: range) -> Tensor:
        asked.append(rows)
        return numbered(rows)

    shards = written(tmp_path, compute)
    assert asked == [range(8, 11), range(11, 12)]
    assert np.array_equal(shards[np.arange(COUNT)], numbered(range(COUNT)).half().numpy())


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"source": {"data": "b"}}, 'numbers of other data: their data is "a", and now it is "b"; delete'),
        ({"source": {"data": "a", "vae": "x"}}, "their vae is null"),
        ({"source": {}}, 'their data is "a", and now it is null'),
        ({"count": 22}, "their rows is 23, and now it is 22"),
        ({"shape": (6,)}, "their shape is"),
    ],
)
def test_shards_of_something_else_are_refused(tmp_path: Path, changed: dict[str, Any], complaint: str) -> None:
    written(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=complaint):
        written(tmp_path, **changed)
    assert before == {file: file.read_bytes() for file in tmp_path.iterdir()}


@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_a_damaged_shard_is_named(tmp_path: Path, content: bytes | None) -> None:
    written(tmp_path)
    file = tmp_path / "000003.npy"
    file.write_bytes(file.read_bytes()[:-2] if content is None else content)
    with pytest.raises(ValueError, match=r"000003\.npy.*delete it to create it again"):
        written(tmp_path)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(ValueError, match=r"made-from\.json"):
        written(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 70_000.0])
def test_what_half_precision_cannot_hold_is_not_written(tmp_path: Path, value: float) -> None:
    def compute(rows: range) -> Tensor:
        return numbered(rows).masked_fill(numbered(rows) == 5, value)

    with pytest.raises(ValueError, match="numbers 4 to 6 are not finite in half precision"):
        written(tmp_path, compute)
    assert sorted(file.name for file in tmp_path.glob("*.npy")) == ["000000.npy"]


def write_numbers(folder: Path, kill_at: int) -> None:
    """Write 23 rows, together with other processes; a process that gets to the row `kill_at` is killed."""
    state = PartialState(cpu=True)

    def compute(rows: range) -> Tensor:
        if kill_at in rows:
            os.kill(os.getpid(), signal.SIGKILL)
        with (folder / f"log-{state.process_index}").open("a") as log:
            log.write(f"{rows.start}\n")
        time.sleep(0.02)
        return numbered(rows)

    shards = write_shards(
        folder, compute, count=COUNT, shape=SHAPE, source={"data": "a"}, batch_size=3, label="numbers", shard_bytes=48
    )
    assert (shards[np.arange(COUNT)][:, 0, 0] == np.arange(COUNT)).all()


def test_a_killed_process_leaves_whole_shards_and_is_gone_on_from(tmp_path: Path, processes: Processes) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    killed = processes.run(write_numbers, folder, 15)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert sorted(file.name for file in folder.glob("*.npy")) == ["000000.npy", "000001.npy", "000002.npy"]
    again = processes.run(write_numbers, folder, -1)
    assert again.returncode == 0, again.stderr[-2000:]
    starts = [int(line) for line in (folder / "log-0").read_text().split()]
    assert starts == [0, 3, 4, 7, 8, 11, 12, *(12, 15, 16, 19, 20)], "the third shard was not done again"


def test_two_processes_share_the_work(tmp_path: Path, processes: Processes) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for done in processes.run_together(2, write_numbers, folder, -1):
        assert done.returncode == 0, done.stderr[-2000:]
    starts = [[int(line) for line in (folder / f"log-{rank}").read_text().split()] for rank in range(2)]
    assert starts == [[0, 3, 8, 11, 16, 19], [4, 7, 12, 15, 20]], "each row once, by one of them"
    alone = written(tmp_path / "alone")
    for file in alone.files:
        assert file.read_bytes() == (folder / file.name).read_bytes()
