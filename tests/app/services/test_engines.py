from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path

import pytest
from huggingface_hub import constants

from app.services.draw_job import Job
from app.services.engines import EngineManager
from app.services.settings import AppSettings
from hypersd.models.machine import Machine
from hypersd.models.registry import availability
from hypersd.sampling.request import Generation, Request, Run, SamplingParameters
from tests import families

SLOW = Request(prompt="a cat", seed=1, family="emoji", runs=(Run(model="base", steps=50),))


@pytest.fixture
def engines(emoji_folder: Path) -> EngineManager:
    """An engine manager before any loading."""
    return EngineManager(AppSettings(emoji=emoji_folder).families(), "emoji")


def job_of(engines: EngineManager, request: Request = SLOW) -> Job:
    return Job(request, engines.family_for(request))


def drawing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "draw"]


def wait_until_idle(seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while drawing_threads():
        assert time.monotonic() < end, "a thread goes on drawing"
        time.sleep(0.02)


def test_it_starts_loads_and_says_so(engines: EngineManager) -> None:
    assert engines.state("emoji") == "starting"
    assert not engines.awake
    engines.wake()
    engines.wake()
    request = Request(prompt="a cat", seed=1, family="emoji", runs=(Run(model="turbo"),))
    events = list(engines.draw(job_of(engines, request)))
    assert isinstance(events[-1], Generation)
    assert events[-1].image is not None
    assert engines.state("emoji") == "ready"


def test_a_job_can_be_cancelled_while_it_waits(engines: EngineManager) -> None:
    job = job_of(engines)
    threading.Timer(0.3, job.cancelled.set).start()
    assert list(engines.draw(job)) == []


def test_cancelling_frees_the_worker(engines: EngineManager) -> None:
    engines.wake()
    job = job_of(engines)
    for _ in engines.draw(job):
        job.cancelled.set()
    wait_until_idle()
    quick = Request(prompt="a cat", seed=1, family="emoji", runs=(Run(model="turbo", steps=1),))
    assert len(list(engines.draw(job_of(engines, quick)))) == 1


def test_a_stopped_job_says_so_before_its_end_and_never_after(engines: EngineManager) -> None:
    engines.wake()
    job, kinds = job_of(engines), list[str]()
    for event in engines.draw(job):
        kinds.append(type(event).__name__)
        if kinds == ["Preview"]:
            job.stop()
    assert kinds.count("Stopping") == 1
    assert "Generation" not in kinds
    assert job.events.empty(), "nothing comes after the end"


def test_a_visitor_who_leaves_frees_the_worker(engines: EngineManager) -> None:
    engines.wake()
    events = engines.draw(job_of(engines))
    next(events)
    events.close()
    wait_until_idle()


def test_an_unavailable_model_has_a_reason_and_downloads_nothing(engines: EngineManager) -> None:
    engines.wake()
    request = Request(prompt="a cat", seed=1, family="sdxl", runs=(Run(model="base"),))
    with pytest.raises(ValueError, match="cannot run here"):
        list(engines.draw(job_of(engines, request)))


def test_a_family_that_cannot_be_loaded_is_a_state_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("nonsense")
    engines = EngineManager(AppSettings(emoji=tmp_path).families(), "emoji")
    engines.wake()
    end = time.monotonic() + 60
    while not engines.awake and time.monotonic() < end:
        time.sleep(0.05)
    family = engines.family("emoji")
    reasons = [availability(family, spec, Machine.here()).reason for spec in family.specs]
    assert all(reasons), "each model says why it cannot run"
    assert "model_index.json is damaged" in reasons[0]
    request = Request(prompt="a cat", seed=1, family="emoji", runs=(Run(model="base"),))
    with pytest.raises(ValueError, match=r"model_index\.json"):
        list(engines.draw(job_of(engines, request)))


def test_of_a_downloaded_family_one_base_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sd15,) = (family for family in families.PUBLISHED if family.name == "sd15")
    families.hub_cache(sd15, tmp_path)
    families.other_pipeline("sd15").save_pretrained(tmp_path / "other")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    engines = EngineManager({"sd15": sd15}, "sd15", bases=[str(tmp_path / "other")])
    engines.prepare()
    engines.wake()
    size = SamplingParameters(size=(256, 256))
    pictures: dict[str, list[bytes]] = {"": [], "other": []}
    held: list[weakref.ref[object]] = []
    for base in ("", "other", ""):
        runs = (Run(model="tcd", steps=1),)
        request = Request(prompt="a", seed=1, family="sd15", runs=runs, base=base, parameters=size)
        (drawn,) = engines.draw(Job(request, engines.family_for(request), previews=False))
        assert isinstance(drawn, Generation)
        assert drawn.image is not None, drawn.error
        pictures[base].append(drawn.image.tobytes())
        wait_until_idle()
        engine = engines._engines.get("sd15", base)
        assert engine is not None
        gc.collect()
        assert [reference() for reference in held if reference() is not None] == [], "the base before it is let go of"
        held.append(weakref.ref(engine.load().unet))
        assert engines.state("sd15", base) == "ready"
    assert pictures[""][0] == pictures[""][1] != pictures["other"][0]
    assert engines.state("sd15", "other") == "idle"
    assert engines.engine(timeout=0) is engines._engines.get("sd15")
