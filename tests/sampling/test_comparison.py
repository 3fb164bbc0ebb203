"""Several models, one prompt, one seed."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hypersd.models.engine import Engine
from hypersd.models.specs import Family
from hypersd.sampling.comparison import PREVIEW_EVERY, compare, grid
from hypersd.sampling.request import Generation, Preview, Request, Run
from hypersd.sampling.runs import expand
from tests import families


@pytest.fixture
def engine(emoji: Family, tmp_path: Path) -> Engine:
    """The embedded family, tiny."""
    return Engine(emoji, families.machine(tmp_path))


def request(*runs: Run, seed: int = 1) -> Request:
    return Request(prompt="a big cat", seed=seed, family="emoji", runs=runs)


def results(engine: Engine, asked: Request) -> list[Generation]:
    return [result for result in compare(asked, engine) if isinstance(result, Generation)]


def test_the_cheapest_comes_first_and_each_says_what_it_took(engine: Engine) -> None:
    asked = request(*expand(engine.family, None, None))
    generations = results(engine, asked)
    assert {generation.model for generation in generations} == {spec.name for spec in engine.family.specs}
    calls = [generation.calls for generation in generations]
    assert calls == sorted(calls)
    assert generations[-1].model == "base"
    for generation in generations:
        assert generation.error is None
        assert generation.image is not None
        assert generation.image.size == (engine.family.pixels,) * 2
        assert generation.seconds > 0


def test_a_seed_repeats_itself(engine: Engine) -> None:
    first, again, other = (results(engine, request(Run(model="turbo", steps=2), seed=seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(np.asarray(first.image), np.asarray(again.image))
    assert not np.array_equal(np.asarray(first.image), np.asarray(other.image))


def test_one_failure_stops_nobody_else(emoji: Family, tmp_path: Path) -> None:
    lost = replace(emoji.spec("hyper").recipes[0].weights, file="adapters/lost.safetensors")
    spec = emoji.spec("hyper")
    specs = tuple(
        replace(spec, recipes=tuple(replace(recipe, weights=lost) for recipe in spec.recipes)) if each is spec else each
        for each in emoji.specs
    )
    engine = Engine(replace(emoji, specs=specs), families.machine(tmp_path))
    asked = request(Run(model="hyper", steps=1), Run(model="turbo", steps=1), Run(model="base", steps=2))
    generations = {generation.model: generation for generation in results(engine, asked)}
    assert generations["hyper"].image is None
    assert "lost.safetensors" in str(generations["hyper"].error)
    assert "\n" not in str(generations["hyper"].error)
    assert generations["turbo"].error is None
    assert generations["base"].error is None
    assert grid(asked, list(generations.values())).width > grid(asked, [generations["base"]]).width


def test_unknown_models_and_steps_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="unknown model"):
        results(engine, request(Run(model="hypr")))
    with pytest.raises(ValueError, match="does not run at 3 steps"):
        results(engine, request(Run(model="hyper", steps=3)))


def test_cancelling_frees_the_worker_within_a_call(engine: Engine) -> None:
    cancel = threading.Event()
    events = compare(
        request(Run(model="turbo", steps=1), Run(model="base", steps=50)),
        engine,
        cancelled=cancel.is_set,
        previews=True,
    )
    for event in events:
        if isinstance(event, Preview):
            cancel.set()
            assert event.step == PREVIEW_EVERY
    assert [result.model for result in results(engine, request(Run(model="turbo", steps=1)))] == ["turbo"]


def test_what_was_cancelled_before_its_turn_loads_nothing(emoji: Family, tmp_path: Path) -> None:
    fresh = Engine(emoji, families.machine(tmp_path))
    assert not list(compare(request(Run(model="base", steps=2)), fresh, cancelled=lambda: True))
    assert fresh.state == "idle"


def test_a_comparison_that_is_dropped_frees_the_worker(engine: Engine) -> None:
    events = compare(request(Run(model="base", steps=10)), engine, previews=True)
    assert isinstance(next(events), Preview)
    events.close()
    assert len(results(engine, request(Run(model="turbo", steps=1)))) == 1


def test_a_run_may_be_handed_from_thread_to_thread(engine: Engine) -> None:
    events = compare(request(Run(model="base", steps=9)), engine, previews=True)
    seen: list[object] = []

    def take() -> None:
        seen.append(next(events, None))

    for _ in range(4):
        worker = threading.Thread(target=take)
        worker.start()
        worker.join()
    assert [type(event) for event in seen] == [Preview, Preview, Generation, type(None)]


def test_previews_are_of_the_pictures_size_and_change_nothing(engine: Engine) -> None:
    asked = request(Run(model="base", steps=9))
    *previews, last = compare(asked, engine, previews=True)
    assert [preview.step for preview in previews if isinstance(preview, Preview)] == [4, 8]
    assert isinstance(last, Generation)
    assert np.array_equal(np.asarray(last.image), np.asarray(results(engine, asked)[0].image))
