"""Runs, from a choice of models and numbers of steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hypersd.models.families.embedded import EMOJI
from hypersd.models.specs import Family
from hypersd.sampling.request import Run
from hypersd.sampling.runs import expand, runnable
from tests.families import machine, write_emoji


def test_a_choice_is_spelt_out(emoji: Family) -> None:
    assert expand(emoji, ["hyper"], [1, 2]) == (Run(model="hyper", steps=1), Run(model="hyper", steps=2))
    assert {run.model for run in expand(emoji, None, [50])} == {"base"}
    with pytest.raises(ValueError, match="does not run at 50"):
        expand(emoji, ["hyper"], [50])
    with pytest.raises(ValueError, match="runs at 51 steps"):
        expand(emoji, None, [51])
    with pytest.raises(ValueError, match="unknown model"):
        expand(emoji, ["hypr"], None)


def test_a_run_whose_own_file_is_broken_is_refused_or_left_out(tmp_path: Path) -> None:
    write_emoji(tmp_path, ["hyper", "hyper-1-step", "turbo"])
    (tmp_path / "adapters" / "hyper-1-step.safetensors").write_bytes(b"")
    mine, here, lines = replace(EMOJI, folder=tmp_path), machine(tmp_path), list[str]()
    with pytest.raises(ValueError, match=r"hyper at 1 steps cannot be run here: .*hyper-1-step.safetensors is empty"):
        runnable(mine, ["hyper"], [1, 2], here)
    runs = runnable(mine, None, [1, 2], here, lines.append)
    assert {run.steps for run in runs if run.model == "hyper"} == {2}
    assert any(line.startswith("without hyper at 1 steps: ") for line in lines)
