"""Drawing in GPU calls, by a stand-in for ZeroGPU's decorator that forks, pickles and refuses."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from app.build import launch
from app.pages.compare.result_cards import complaint
from app.pages.control.control_layout import control_layout
from app.pages.control.control_tab import ControlHandlers
from app.pages.control.control_view import ControlShown
from app.pages.sweep.sweep_layout import layout as sweep_layout
from app.pages.sweep.sweep_tab import SweepHandlers
from app.services.draw_job import Job
from app.services.engines import EngineManager
from app.services.gpu_calls import GPURefused, ZeroGPU, refusal
from app.services.settings import AppSettings
from hypersd.arena.storage import StorageConfig
from hypersd.models.control_specs import ControlMode
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES
from hypersd.sampling.gpu_time import GPUTime, WeightLoad
from hypersd.sampling.request import Control, Generation, Preview, Request, Run, SamplingParameters
from hypersd.utils.environment import Environment
from tests.zero_gpu import StandInGPU

TWO = Request(prompt="a cat", seed=1, family="emoji", runs=(Run(model="base", steps=9), Run(model="hyper", steps=1)))
LATER = Request(prompt="a cat", seed=5, family="emoji", runs=(Run(model="turbo", steps=1),), count=2)


@pytest.fixture(scope="module")
def gpu() -> Iterator[StandInGPU]:
    stand_in = StandInGPU()
    yield stand_in
    stand_in.end()


@pytest.fixture(scope="module")
def engines(emoji_folder: Path, gpu: StandInGPU) -> EngineManager:
    """Engines of a page on ZeroGPU, placed."""
    families = AppSettings(emoji=emoji_folder).families
    placed = EngineManager(families(), "emoji", families, ZeroGPU(decorate=gpu, machine=Machine.cpu))
    placed.prepare()
    assert placed.awake
    return placed


@pytest.fixture(autouse=True)
def _fresh(gpu: StandInGPU) -> None:
    gpu.left, gpu.error = 100_000, None
    gpu.calls.clear()


def job_of(engines: EngineManager, request: Request, then: Request | None = None) -> Job:
    return Job(request, engines.family_for(request), then=then)


def drawn(engines: EngineManager, request: Request, then: Request | None = None) -> list[Any]:
    return list(engines.draw(job_of(engines, request, then)))


def test_a_job_is_one_call_and_draws_what_is_drawn_without_a_fork(
    engines: EngineManager, emoji_folder: Path, gpu: StandInGPU
) -> None:
    here = EngineManager(AppSettings(emoji=emoji_folder).families(), "emoji")
    here.wake()
    events = drawn(engines, TWO, LATER)
    assert len(gpu.calls) == 1
    kinds = [type(event) for event in events]
    assert kinds == [Generation, Preview, Preview, Generation, Generation, Generation]
    for forked, own in zip(events, drawn(here, TWO, LATER), strict=True):
        assert (forked.model, forked.steps, forked.seed) == (own.model, own.steps, own.seed)
        assert forked.image.tobytes() == own.image.tobytes()


def test_a_reused_process_knows_contestants_that_came_after_its_fork(
    engines: EngineManager, emoji_folder: Path, gpu: StandInGPU
) -> None:
    drawn(engines, LATER)
    process, before = gpu.workers[-1].process.pid, engines.families
    assert process != os.getpid()
    family = before["emoji"]
    new = replace(family.spec("turbo"), name="turbo-new")
    engines._again = lambda: {**before, "emoji": replace(family, specs=(*family.specs, new))}
    gpu.end()
    drawn(engines, LATER)
    engines.refresh()
    request = Request(prompt="a cat", seed=5, family="emoji", runs=(Run(model="turbo-new", steps=1),))
    (event,) = drawn(engines, request)
    engines._again = lambda: before
    engines.refresh()
    assert event.image is not None


def test_a_stopped_job_ends_with_the_next_event_and_frees_the_process(engines: EngineManager, gpu: StandInGPU) -> None:
    job = job_of(engines, Request(prompt="a cat", seed=1, family="emoji", runs=(Run(model="base", steps=50),)))
    kinds: list[str] = []
    for event in engines.draw(job):
        kinds.append(type(event).__name__)
        if kinds == ["Preview"]:
            job.stop()
    assert "Generation" not in kinds
    assert kinds.count("Preview") < 4
    assert len(drawn(engines, LATER)) == 2
    assert len(gpu.workers) == 1


def test_a_used_up_quota_is_a_sentence_with_the_way_to_prepared_pairs(engines: EngineManager, gpu: StandInGPU) -> None:
    gpu.left = 1
    with pytest.raises(
        GPURefused, match=r"used up \(you get more in 3:10:20 hours\); until then, vote on pairs"
    ) as refused:
        drawn(engines, LATER)
    assert '<a href="?tab=arena">' in complaint(refused.value)
    assert "href" not in complaint(ValueError("the seed is no number"))


def test_sweep_and_control_show_the_way_to_prepared_pairs_too(engines: EngineManager, gpu: StandInGPU) -> None:
    gpu.left = 1
    with gr.Blocks(analytics_enabled=False):
        sweep = SweepHandlers(engines, sweep_layout(engines))
        control = ControlHandlers(engines, control_layout(engines))
    lines = Control(mode=ControlMode("scribble"), image=Image.new("RGB", (8, 8)), scale=1)
    along = Request(prompt="a cat", seed=1, family="emoji", runs=(Run(model="hyper", steps=1),), control=lines)
    for parts, updates in (
        (sweep.parts, list(sweep.draw(job_of(engines, TWO, LATER), "steps"))),
        (control.parts, list(control.draw(job_of(engines, along), ControlShown.begun(along, None)))),
    ):
        message = str(updates[-1][parts.message])
        assert "Your time on the GPU is used up (you get more in 3:10:20 hours); until then" in message
        assert '<a href="?tab=arena">' in message
        assert updates[-1][parts.job] is None, "the page waits no longer"
        assert parts.board in updates[-1]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("ZeroGPU pending credits exceeded", "used up; until then"),
        ("ZeroGPU illegal duration", "choose fewer models"),
        ("ZeroGPU queue timeout", "no GPU is free"),
        ("ZeroGPU client error", "no GPU is free"),
        ("ZeroGPU worker error", "taken away"),
    ],
)
def test_each_refusal_says_what_to_do(title: str, words: str) -> None:
    refused = refusal(gr.Error("<b>PRO</b>", title=title, print_exception=False))
    assert isinstance(refused, GPURefused)
    assert words in str(refused)
    assert "<b>" not in str(refused)


def test_other_errors_stay_what_they_are() -> None:
    error = gr.Error("no", title="Error")
    assert refusal(error) is error


def test_the_time_asked_for_is_that_of_the_work() -> None:
    family, placed = FAMILIES["sdxl"], WeightLoad(placed_gb=11, unplaced_gb=0)

    def seconds(count: int = 1, size: tuple[int, int] | None = None, *runs: Run, load: WeightLoad = placed) -> int:
        chosen = runs or (Run(model="base", steps=30),)
        parameters = SamplingParameters(size=size)
        request = Request(prompt="a", seed=0, family="sdxl", runs=chosen, count=count, parameters=parameters)
        return GPUTime().seconds(family, [request], load)

    single = seconds()
    assert 10 < single < 60, "60 calls of 6.76 TFLOP"
    assert 3.5 * (single - 6) < seconds(4) - 6 < 4.5 * (single - 6)
    assert seconds(1, (512, 512)) < single < seconds(1, (1536, 1024))
    assert seconds(1, None, Run(model="hyper", steps=1)) < single
    both = seconds(1, None, Run(model="base", steps=30), Run(model="hyper", steps=1))
    assert both > single
    assert seconds(load=WeightLoad(placed_gb=0, unplaced_gb=11)) > single + 10


def test_the_time_asked_for_follows_the_times_measured() -> None:
    family, load, time = FAMILIES["sdxl"], WeightLoad(placed_gb=0, unplaced_gb=0), GPUTime()
    request = Request(prompt="a", seed=0, family="sdxl", runs=(Run(model="base", steps=30),))
    stated = time.seconds(family, [request], load)

    def finished(seconds: float, error: str | None = None) -> Generation:
        image = None if error else Image.new("RGB", (8, 8))
        return Generation(model="base", steps=30, calls=60, guidance_scale=5, seconds=seconds, image=image, error=error)

    time.record(family, request, finished(1000, "it failed"))
    assert time.seconds(family, [request], load) == stated
    time.record(family, request, finished(3.0))
    fast = time.seconds(family, [request], load)
    assert fast < stated / 2
    time.record(family, request, finished(20.0))
    assert time.seconds(family, [request], load) > stated


def test_what_is_placed_is_known_where_the_time_is_asked_for(engines: EngineManager) -> None:
    cold = EngineManager(engines.families, "emoji", None, ZeroGPU(decorate=StandInGPU(), machine=Machine.cpu))
    weights = [recipe.weights for spec in FAMILIES["emoji"].specs for recipe in spec.recipes]
    assert all(map(engines._engines.ensure(engines.family("emoji")).holds, weights))
    assert not any(map(cold._engines.ensure(cold.family("emoji")).holds, weights))


def test_without_a_visitor_the_small_family_draws_on_the_cpu(engines: EngineManager) -> None:
    engine = engines.engine_without_visitor()
    assert engine is not None
    assert engine is not engines.engine(timeout=0)
    assert engine.machine.device == "cpu"
    assert engines.scoring_machine.device == "cpu"


def test_zerogpu_is_used_where_the_space_says_so_and_needs_no_package_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ZeroGPU.here(Environment.read({})) is None
    assert "spaces" not in sys.modules
    on_space = Environment.read({"SPACES_ZERO_GPU": "true"})
    with pytest.raises(ImportError):
        ZeroGPU.here(on_space)
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU="the decorator"))
    there = ZeroGPU.here(on_space)
    assert there is not None
    assert there.decorate == "the decorator"
    machine = there.machine()
    assert (machine.device, machine.precision) == ("cuda", "float16")


@dataclass
class Served:
    """A page on ZeroGPU."""

    url: str
    gpu: StandInGPU

    def post(self, name: str, words: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
        everything = {"content-type": "application/json", "x-voter": "v" * 32, **headers}
        request = urllib.request.Request(f"{self.url}arena/{name}", json.dumps(words).encode(), everything)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def battle(self) -> str:
        """A battle, once a pair is prepared; empty if none is within two minutes."""
        for _ in range(600):
            if name := self.post("draw", {})[1].get("battle"):
                return name
            time.sleep(0.2)
        return ""


@pytest.fixture(scope="module")
def served(emoji_folder: Path, gpu: StandInGPU, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    gpu.end()
    gpu.calls.clear()
    demo = launch(
        AppSettings(emoji=emoji_folder, storage=StorageConfig(data=tmp_path_factory.mktemp("zero"))),
        gpu=ZeroGPU(decorate=gpu, machine=Machine.cpu),
        block=False,
        quiet=True,
        server_name="127.0.0.1",
    )
    page = Served(demo.local_url, gpu)
    # Until then background threads import modules, and pytest's loop over all loggers before a test may meet a new one.
    assert page.battle(), "pairs are prepared without a visitor's quota"
    assert not gpu.calls
    yield page
    gpu.end()
    demo.close()


def test_the_page_draws_in_one_call_on_the_visitor_s_quota_and_goes_over_to_pairs(served: Served) -> None:
    client = Client(served.url, verbose=False, headers={"x-ip-token": "visitor"})
    wanted = ("a cat", 7, "emoji", ["hyper", "turbo"], [1, 2])
    records = client.predict(*wanted, api_name="/compare")
    assert len(records) == 4
    assert all(record["image"] for record in records)
    ((seconds, headers),) = served.gpu.calls
    assert seconds >= 1
    assert headers["x-ip-token"] == "visitor"
    status, answer = served.post("own", {"prompt": "a dog"}, **{"x-ip-token": "voter"})
    assert status == 200, answer
    assert answer["battle"]
    assert served.gpu.calls[-1][1]["x-ip-token"] == "voter"
    served.gpu.left = 0
    with pytest.raises(AppError, match="Your time on the GPU is used up"):
        client.predict(*wanted, api_name="/compare")
    status, answer = served.post("own", {"prompt": "a dog"})
    assert status == 422
    assert "vote on pairs that are drawn already" in answer["error"]
    assert served.battle(), "prepared pairs need no quota"
    client.close()
