"""Drawing on a Ray cluster with two workers, started on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import psutil
import pytest
import ray

from hypersd.models.engine import Engine
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.sampling.comparison import DrawAll, Event, compare
from hypersd.sampling.ray_drawing import ray_drawing
from hypersd.sampling.request import Generation, Request, Run, SamplingParameters

WORKERS = 2


@pytest.fixture(scope="module")
def family(emoji: Family) -> Family:
    return replace(emoji, specs=tuple(emoji.spec(name) for name in ("base", "hyper")))


@pytest.fixture(scope="module")
def draw_all(family: Family) -> Iterator[DrawAll]:
    with ray_drawing(family, "local", workers=WORKERS) as draw_all:
        yield draw_all


def requests(family: Family, count: int) -> list[Request]:
    runs = (Run(model="hyper", steps=2), Run(model="base", steps=3))
    size = SamplingParameters(size=(64, 64))
    return [Request(prompt="a cat", seed=seed, family=family.name, runs=runs, parameters=size) for seed in range(count)]


def pictures(events: Iterable[Event]) -> dict[tuple[str, int, int], np.ndarray]:
    drawn = [event for event in events if isinstance(event, Generation)]
    assert {event.error for event in drawn} == {None}
    return {(event.model, event.steps, event.seed): np.asarray(event.image) for event in drawn}


def workers() -> list[psutil.Process]:
    """The actors' processes on this machine; Ray names them so."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "_DrawingActor" in " ".join(child.cmdline())]


def test_a_cluster_draws_the_pictures_that_this_process_draws(family: Family, draw_all: DrawAll) -> None:
    asked = requests(family, 4)
    engine = Engine(family, Machine.here())
    for request, events in zip(asked, draw_all(asked), strict=True):
        there, here = pictures(events), pictures(compare(request, engine))
        assert there.keys() == here.keys()
        assert all(np.array_equal(there[key], here[key]) for key in here)


def test_the_work_of_a_worker_that_is_killed_is_done_once_by_another(family: Family, draw_all: DrawAll) -> None:
    asked = requests(family, 12)
    results = draw_all(asked)
    seeds = [event.seed for event in next(results) if isinstance(event, Generation)]
    before = workers()
    assert len(before) == WORKERS
    os.kill(before[0].pid, signal.SIGKILL)
    seeds += [seed for events in results for _, _, seed in pictures(events)]
    assert sorted(seeds) == sorted(2 * list(range(12)))


def test_a_cluster_that_is_not_there_is_named(family: Family, draw_all: DrawAll) -> None:
    assert ray.is_initialized()
    with pytest.raises(ValueError, match="the Ray cluster at local cannot be reached"), ray_drawing(family, "local"):
        pass
