"""The command, in one process and in two, killed and unbroken, comes to the same adapters."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hypersd.training import training_config
from tests.processes import Processes, hypersd

WORDS = (
    *("distill", "tscd", "--precision", "no", "--batch", "8", "--stages", "segments-4,segments-1"),
    *("--shorten", "0.002", "--steps", "1500"),  # 3 steps, on 32 scenes
)
ADAPTERS = ("segments-1.safetensors", "segments-4.safetensors")
TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone", "-m", "hypersd")


@pytest.fixture(scope="module")
def data(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a family in it."""
    data = tmp_path_factory.mktemp("data")
    shutil.copytree(folder, data / "family")
    return data


def words(data: Path, out: Path) -> list[str]:
    """The words of the command; it goes on if it has begun."""
    return [*WORDS, "--data", str(data), "--out", str(out), *(["--resume"] if out.exists() else [])]


def killed(at: str, *given: str) -> None:
    """Run the command in this process, which is killed as it puts a file in its place whose path ends in `at`.

    Trainings write a checkpoint after every step.
    """
    assert training_config.TrainingConfig.__init__.__kwdefaults__ is not None
    training_config.TrainingConfig.__init__.__kwdefaults__["save_every"] = 0.0

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]).endswith(at):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    hypersd(*given)


def whole(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def unbroken(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one process that was not killed."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    whole(Processes(tmp_path_factory.mktemp("printed")).run(hypersd, *words(data, out)))
    return out


KILLED_AT = (
    "segments-4/state/state.json",  # when the first checkpoint's tensors are there, and its numbers are not
    "segments-4/state/step-2.state.safetensors",  # in the middle of a checkpoint
    "out/segments-4.safetensors",  # between two stages
    "segments-1/state/step-3.state.safetensors",  # after the last step
)


def test_a_distillation_that_is_killed_again_and_again_as_it_writes_comes_to_the_same_adapters(
    processes: Processes, data: Path, unbroken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for written in KILLED_AT:
        assert processes.run(killed, written, *words(data, out)).returncode == -signal.SIGKILL, written
        assert sorted(file.name for file in out.glob("*.safetensors")) in ([], ["segments-4.safetensors"])
    whole(processes.run(hypersd, *words(data, out)))
    for name in ADAPTERS:
        assert (out / name).read_bytes() == (unbroken / name).read_bytes(), name


def test_two_processes_do_what_one_does_and_resume_alike(
    processes: Processes, root: Path, data: Path, unbroken: Path, tmp_path: Path
) -> None:
    together, out = tmp_path / "together", tmp_path / "out"
    command = [sys.executable, *TORCHRUN, *words(data, together)]
    whole(subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=200, check=False))
    shards = sorted(file.relative_to(unbroken) for file in (unbroken / "latents").glob("*.npy"))
    assert shards
    for shard in shards:
        assert (together / shard).read_bytes() == (unbroken / shard).read_bytes()
    assert not list(together.rglob(".unfinished-*"))
    for stage in ("segments-4", "segments-1"):
        assert losses(together / stage) == pytest.approx(losses(unbroken / stage), abs=1e-4)
        mine, others = (load_file(place / f"{stage}.safetensors") for place in (together, unbroken))
        for name, weights in others.items():
            torch.testing.assert_close(mine[name], weights, rtol=0, atol=1e-4)
    both = processes.run_together(2, killed, "segments-1/state/step-2.state.safetensors", *words(data, out))
    assert -signal.SIGKILL in {process.returncode for process in both}
    for done in processes.run_together(2, hypersd, *words(data, out)):
        whole(done)
    for name in ADAPTERS:
        assert (out / name).read_bytes() == (together / name).read_bytes(), name


def losses(stage: Path) -> dict[str, float]:
    """Losses that a stage logged, by step and name."""
    lines = [json.loads(line) for line in (stage / "log.jsonl").read_text().splitlines()]
    return {
        f"{line['step']} {name}": value
        for line in lines
        for name, value in line.items()
        if name not in {"step", "time", "steps_per_second"}
    }
