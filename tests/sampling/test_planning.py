"""Sampling parameters: what each recipe bears, and the reason and the remedy where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from hypersd.models import held_unets as sharing
from hypersd.models.engine import Engine
from hypersd.models.registry import FAMILIES
from hypersd.models.schedulers import build_scheduler
from hypersd.models.specs import Family
from hypersd.sampling.comparison import compare, grid
from hypersd.sampling.planning import plan_run, planned, warnings_of
from hypersd.sampling.request import MAX_SEED, Generation, Request, Run, SamplingParameters
from tests import families

PROMPT = "a big cat"


def request(*runs: Run, family: str = "emoji", count: int = 1, seed: int = 5, **given: Any) -> Request:
    parameters = SamplingParameters(**given)
    return Request(prompt=PROMPT, seed=seed, family=family, runs=runs, parameters=parameters, count=count)


def drawn(engine: Engine, asked: Request) -> list[Generation]:
    events = [event for event in compare(asked, engine) if isinstance(event, Generation)]
    assert [event.error for event in events] == [None] * len(events)
    return events


def difference(mine: Image.Image | None, other: Image.Image) -> int:
    return int(np.abs(np.asarray(mine, dtype=int) - np.asarray(other, dtype=int)).max())


@pytest.fixture
def engine(emoji: Family, tmp_path: Path) -> Engine:
    return Engine(emoji, families.machine(tmp_path))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"eta": -0.1}, "eta must be a number from 0 to 1, not -0.1"),
        ({"eta": 1.1}, "eta must be"),
        ({"eta": float("nan")}, "eta must be"),
        ({"strength": 0}, "strength must be a number above 0 and up to 2"),
        ({"strength": 2.5}, "strength must be"),
        ({"guidance_scale": 0.5}, "guidance must be a number from 1"),
        ({"guidance_scale": 21}, "guidance must be"),
        ({"negative_prompt": " "}, "negative prompt is empty; say what to keep out"),
        ({"negative_prompt": "x" * 3000}, "negative prompt has 3000 characters"),
        ({"negative_prompt": "a\x00"}, "negative prompt has control characters"),
        ({"size": (0, 512)}, "up to 2048 pixels, not 0x512"),
        ({"size": (512, 4096)}, "512x4096"),
        ({"count": 0}, "number of pictures must be from 1 to 8, not 0"),
        ({"count": 9}, "number of pictures"),
        ({"count": 2, "seed": MAX_SEED}, f"seeds up to {MAX_SEED + 1}"),
    ],
)
def test_numbers_out_of_range_are_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        request(Run(model="base"), **given)


@pytest.mark.parametrize(
    ("family", "model", "steps", "given", "reason"),
    [
        ("sdxl", "hyper", 4, {"guidance_scale": 7}, "takes no guidance: it was distilled .* choose base, hyper-cfg"),
        ("sdxl", "hyper", 4, {"negative_prompt": "bad"}, "follows no negative prompt: .* choose base, hyper-cfg"),
        ("sdxl", "hyper", 4, {"eta": 0.5}, "takes no eta: DDIM .* choose hyper-unified"),
        ("sdxl", "turbo", 1, {"strength": 0.5}, "has no adapter whose strength .* choose hyper at 2, 4 or 8 steps"),
        ("sdxl", "base", 25, {"strength": 0.5}, "has no adapter"),
        ("sdxl", "hyper-cfg", 8, {"guidance_scale": 9}, "was made for guidance from 5 to 8, not 9"),
        ("sdxl", "perflow", 6, {"guidance_scale": 7.5}, "guidance from 1.5 to 2.5"),
        ("sdxl", "lcm", 4, {"guidance_scale": 7.5}, "guidance from 1 to 2"),
        ("sdxl", "lcm", 4, {"negative_prompt": "bad"}, "no negative prompt without guidance; set guidance above 1"),
        ("sdxl", "base", 25, {"negative_prompt": "bad", "guidance_scale": 1}, "without guidance"),
        ("sd15", "base", 25, {"size": (500, 512)}, "500x512 pixels; choose sides from 256 to 1024 .* multiples of 64"),
        ("sd15", "base", 25, {"size": (1088, 512)}, "1088x512"),
        ("sd21", "turbo", 1, {"guidance_scale": 7.5}, "and more burns the picture; leave it out$"),
        ("emoji", "hyper", 2, {"eta": 0.5}, "hyper at 2 steps takes no eta: .* choose hyper at 4 or 8 steps"),
    ],
)
def test_what_a_recipe_does_not_bear_says_why_and_what_to_do(
    family: str, model: str, steps: int, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        planned(FAMILIES[family], request(Run(model=model, steps=steps), family=family, **given))
    assert str(caught.value).startswith(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("family", "model", "steps", "given"),
    [
        ("sdxl", "base", 25, {"guidance_scale": 5, "negative_prompt": "bad", "size": (1024, 768)}),
        ("sdxl", "hyper-cfg", 12, {"guidance_scale": 8, "negative_prompt": "bad", "strength": 0.8}),
        ("sdxl", "hyper-unified", 3, {"eta": 0.3, "strength": 0.8}),
        ("sdxl", "lcm", 4, {"guidance_scale": 1.5, "negative_prompt": "bad"}),
        ("sdxl", "hyper", 4, {"guidance_scale": 1}),
        ("sd15", "perflow", 4, {"guidance_scale": 7.5, "strength": 0.9}),
        ("sd15", "tcd", 1, {"eta": 0.0}),
    ],
)
def test_what_a_recipe_bears_is_set(family: str, model: str, steps: int, given: dict[str, Any]) -> None:
    (run,) = planned(FAMILIES[family], request(Run(model=model, steps=steps), family=family, **given))
    assert run.refused == {}
    assert run.recipe.steps == steps
    for name in ("eta", "guidance_scale"):
        assert getattr(run.recipe, name) == given.get(name, getattr(run.spec.recipe(steps), name))
    assert run.recipe.weights.scale == given.get("strength", 1)
    assert run.negative_prompt == given.get("negative_prompt", "")
    assert run.size == given.get("size", (run.spec.pixels,) * 2)


def test_without_parameters_a_plan_is_the_recipe() -> None:
    for family in FAMILIES.values():
        for spec in family.specs:
            for recipe in spec.recipes:
                run = plan_run(family, spec, recipe.steps)
                assert (run.recipe, run.negative_prompt, run.size) == (recipe, "", (spec.pixels, spec.pixels))
                assert run.warnings == ()


def test_one_run_that_bears_a_parameter_is_enough_and_the_others_say_so(engine: Engine) -> None:
    runs = (Run(model="base", steps=4), Run(model="turbo", steps=1))
    turbo, base = drawn(engine, request(*runs, guidance_scale=5))
    assert (turbo.guidance_scale, base.guidance_scale) == (0, 5)
    assert base.warnings == ()
    (said,) = turbo.warnings
    assert said.startswith("Not applied: turbo at 1 step takes no guidance")
    assert difference(turbo.image, drawn(engine, request(runs[1]))[0].image) == 0


def test_parameters_mean_what_they_mean_to_diffusers(emoji: Family, engine: Engine) -> None:
    asked = request(Run(model="base", steps=4), guidance_scale=6, negative_prompt="a dog", size=(64, 32))
    (mine,) = drawn(engine, asked)
    assert mine.image is not None
    assert mine.image.size == (64, 32)
    assert "At 64x32 pixels a model that was made for 32x32" in mine.warnings[0]
    pipeline = StableDiffusionXLPipeline.from_pretrained(emoji.folder).to(torch.float32)
    pipeline.scheduler = build_scheduler(pipeline.scheduler, emoji.spec("base").recipe().scheduler)
    generator = torch.Generator().manual_seed(asked.seed)
    call = {"guidance_scale": 6, "num_inference_steps": 4, "generator": generator, "width": 64, "height": 32}
    expected = pipeline(PROMPT, negative_prompt="a dog", **call).images[0]
    assert difference(mine.image, expected) <= 1


@pytest.mark.parametrize("way", ["fused", "shared"])
def test_strength_and_eta_mean_what_they_mean_to_diffusers(
    emoji: Family, engine: Engine, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "plan", lambda *_: way)
    run = Run(model="hyper", steps=4)
    whole, mine = (drawn(engine, request(run, **given))[0] for given in ({}, {"strength": 0.5, "eta": 0.25}))
    assert mine.image is not None
    assert difference(whole.image, mine.image) > 1, "they change the picture"
    recipe = emoji.spec("hyper").recipe(4)
    pipeline = StableDiffusionXLPipeline.from_pretrained(emoji.folder).to(torch.float32)
    pipeline.load_lora_weights(emoji.folder, weight_name=str(recipe.weights.file))
    pipeline.fuse_lora(lora_scale=0.5)
    pipeline.scheduler = build_scheduler(pipeline.scheduler, recipe.scheduler)
    generator = torch.Generator().manual_seed(5)
    call = {"guidance_scale": 0, "num_inference_steps": 4, "eta": 0.25, "generator": generator}
    expected = pipeline(PROMPT, width=32, height=32, **call).images[0]
    assert difference(mine.image, expected) <= 1
    assert difference(whole.image, drawn(engine, request(run))[0].image) == 0, "the next run is at full strength again"


def test_several_pictures_are_those_of_the_seeds_that_follow(engine: Engine) -> None:
    run = Run(model="turbo", steps=1)
    several = drawn(engine, request(run, count=3, seed=7))
    assert [event.seed for event in several] == [7, 8, 9]
    for event in several:
        (alone,) = drawn(engine, request(run, seed=event.seed))
        assert alone.image is not None
        assert difference(event.image, alone.image) == 0
    single, triple = grid(request(run), several[:1]), grid(request(run, count=3), several)
    assert triple.width == single.width
    assert triple.height > 2 * single.height


def test_what_several_runs_do_not_bear_is_said_once(emoji: Family) -> None:
    runs = [Run(model=name, steps=steps) for name, steps in (("base", 2), ("turbo", 1), ("hyper", 4))]
    said = warnings_of(planned(emoji, request(*runs, guidance_scale=5, size=(64, 64))))
    assert said[0].startswith("Not applied: each of turbo at 1 step and hyper at 4 steps takes no guidance: ")
    assert said[1:] == ("At 64x64 pixels a model that was made for 32x32 may cut off, repeat or blur things.",)
