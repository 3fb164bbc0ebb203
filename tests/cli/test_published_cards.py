"""Every published card, without a network: from the Hub's cache through the command line, equal to plain diffusers.

The cache has the Hub's layout, the real names of repositories and files and their key formats; the weights are few and
random.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from huggingface_hub import constants
from PIL import Image
from torch import Tensor

from tests import families
from tests.cli.card_snippets import SNIPPETS, Snippet
from tests.cli.conftest import Call, Result

PROMPT = "a red fox"

TCD_TIMES = {
    1: [999],
    2: [999, 499],
    4: [999, 759, 499, 259],
    8: [999, 879, 759, 639, 499, 379, 259, 139],
}
DDIM_TIMES = {2: [999, 499], 4: [999, 749, 499, 249], 8: [999, 874, 749, 624, 499, 374, 249, 124]}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with every file of every card."""
    cache = tmp_path_factory.mktemp("hub")
    for family in families.PUBLISHED:
        families.hub_cache(family, cache)
    return cache


@pytest.fixture(autouse=True)
def _offline(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert constants.HF_HUB_OFFLINE
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))


@dataclass
class Recorded:
    """Recorded calls of a scheduler.

    Args:
        kinds: the classes that took steps.
        times: at which they did.
        etas: that they were given; diffusers' pipelines give 0 for none.
        scales: of the guidance between the UNet's two predictions and what the scheduler got; 0 without guidance.
    """

    kinds: set[str] = field(default_factory=set[str])
    times: list[float] = field(default_factory=list[float])
    etas: set[float] = field(default_factory=set[float])
    scales: list[float] = field(default_factory=list[float])


@contextmanager
def recorded(scheduler: type[Any]) -> Iterator[Recorded]:
    """Listen to a class of schedulers, and to UNets, while this context is open; both do what they do."""
    step, forward = scheduler.step, UNet2DConditionModel.forward
    calls, last = Recorded(), list[Tensor]()

    @functools.wraps(step)
    def stepped(self: Any, model_output: Tensor, timestep: Any, *rest: Any, **named: Any) -> Any:
        calls.kinds.add(type(self).__name__)
        calls.times.append(float(timestep))
        calls.etas.add(float(named.get("eta") or 0.0))
        calls.scales.append(_scale(last[-1], model_output))
        return step(self, model_output, timestep, *rest, **named)

    @functools.wraps(forward)
    def predicted(self: Any, *given: Any, **named: Any) -> Any:
        output = forward(self, *given, **named)
        last.append(output[0])
        return output

    scheduler.step, UNet2DConditionModel.forward = stepped, predicted
    try:
        yield calls
    finally:
        scheduler.step, UNet2DConditionModel.forward = step, forward


def _scale(rows: Tensor, used: Tensor) -> float:
    if len(rows) == 1:
        return 0.0
    without, with_prompt = rows.chunk(2)
    direction = with_prompt - without
    return round(float(((used - without) * direction).sum() / (direction * direction).sum()), 2)


def compared(call: Call, family: str, model: str, steps: int, out: Path, *more: object) -> Result:
    words = ("compare", PROMPT, "--family", family, "--models", model, "--steps", steps, "--seed", 3)
    return call(*words, "--size", families.SMALLEST_SIDES[family], "--out", out, "--json", *more)


def by_diffusers(snippet: Snippet, family: str, steps: int, **more: Any) -> Image.Image:
    call = {"num_inference_steps": steps, "guidance_scale": snippet.guidance.get(steps, 0.0), **snippet.call, **more}
    side = families.SMALLEST_SIDES[family]
    return snippet.pipeline(steps)(
        PROMPT, width=side, height=side, generator=torch.Generator().manual_seed(3), **call
    ).images[0]


def difference(file: Path, expected: Image.Image) -> int:
    with Image.open(file) as picture:
        return int(np.abs(np.asarray(picture, dtype=int) - np.asarray(expected, dtype=int)).max())


RUNS = [
    pytest.param(*card, snippet, steps, id=f"{card[0]}-{card[1]}-{steps}")
    for card, snippets in SNIPPETS.items()
    for snippet in snippets
    for steps in snippet.steps
]


def test_every_card_and_every_number_of_steps_has_its_snippet() -> None:
    cards = {
        (family.name, spec.name, steps)
        for family in families.PUBLISHED
        for spec in family.specs
        for steps in ({recipe.steps for recipe in spec.recipes} | set(range(1, min(spec.max_steps or 0, 8) + 1)))
        if spec.name != "base" or steps == spec.default_steps
    }
    written = {(*card, steps) for card, snippets in SNIPPETS.items() for snippet in snippets for steps in snippet.steps}
    assert written == cards


# The scheduler itself says that 800 is an unusual place to start: the recipe is the published one.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "model", "snippet", "steps"), RUNS)
def test_a_card_is_drawn_as_its_own_snippet_does(  # noqa: PLR0917 - a row of the table
    call: Call, tmp_path: Path, family: str, model: str, snippet: Snippet, steps: int
) -> None:
    with recorded(snippet.scheduler) as ours:
        run = compared(call, family, model, steps, tmp_path).document["runs"][0]
    with recorded(snippet.scheduler) as expected_calls:
        expected = by_diffusers(snippet, family, steps)
    assert ours == expected_calls
    assert ours.kinds == {snippet.scheduler.__name__} == {run["scheduler"]["name"]}
    assert ours.times == run["timesteps"]
    assert set(ours.scales) == {snippet.guidance.get(steps, 0.0)} == {run["guidance_scale"]}
    assert ours.etas == {run["eta"] or 0.0} == {snippet.call.get("eta", 0.0)}
    times = {"TCDScheduler": TCD_TIMES, "DDIMScheduler": DDIM_TIMES}.get(snippet.scheduler.__name__, {})
    assert ours.times == snippet.call.get("timesteps", times.get(steps, ours.times))
    assert difference(tmp_path / run["file"], expected) <= 1


def test_a_negative_prompt_and_guidance_reach_the_cfg_preserved_lora(call: Call, tmp_path: Path) -> None:
    (snippet,) = SNIPPETS["sd15", "hyper-cfg"]
    given = ("--guidance", 7, "--negative", "blurred", "--strength", "0.5")
    with recorded(snippet.scheduler) as ours:
        run = compared(call, "sd15", "hyper-cfg", 8, tmp_path, *given).document["runs"][0]
    assert set(ours.scales) == {7.0}
    assert (run["negative_prompt"], run["weights"]["scale"]) == ("blurred", 0.5)
    pipeline = snippet.pipeline(8)
    pipeline.unfuse_lora()
    pipeline.fuse_lora(lora_scale=0.5)
    expected = pipeline(
        PROMPT,
        negative_prompt="blurred",
        width=families.SMALLEST_SIDES["sd15"],
        height=families.SMALLEST_SIDES["sd15"],
        num_inference_steps=8,
        guidance_scale=7.0,
        generator=torch.Generator().manual_seed(3),
    ).images[0]
    assert difference(tmp_path / run["file"], expected) <= 1


def test_all_of_a_family_is_drawn_by_a_process_of_its_own(cache: Path, root: Path, tmp_path: Path) -> None:
    words = ["compare", PROMPT, "--family", "sd15", "--steps", "4", "--size", "256", "--out", str(tmp_path), "--json"]
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "hypersd", *words]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    drawn = {run["model"] for run in json.loads(done.stdout)["runs"] if run["file"]}
    assert drawn == {"base", "hyper", "hyper-unified", "lcm", "tcd", "perflow"}
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("study", ["figure5-sd15", "figure5-sdxl"])
def test_every_row_of_figure_5_is_among_the_runs_above(root: Path, study: str) -> None:
    drawn = {f"{run.values[0]}/{run.values[1]}@{run.values[3]}" for run in RUNS}
    declared = json.loads((root / "assets" / "studies" / f"{study}.json").read_text(encoding="utf-8"))
    assert len(declared["comparisons"]) == 8
    assert {row[side] for row in declared["comparisons"] for side in ("ours", "rival")} <= drawn
