"""The lean loop draws what diffusers' own pipelines draw.

The published families are compared with their cards' snippets by the tests of the command line.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from hypersd.models.engine import Engine
from hypersd.models.schedulers import build_scheduler
from hypersd.models.specs import Family, ModelSpec, Recipe
from hypersd.sampling.sampler import SampledImage, SamplingProgress, denoise, initial_noise
from hypersd.utils.errors import Cancelled
from tests import families

PROMPT = "a big cat"


def drawn(engine: Engine, spec: ModelSpec, recipe: Recipe, seed: int) -> SampledImage:
    embeds = engine.prompts.encode(PROMPT)
    with engine.use(recipe) as loaded:
        *_, last = denoise(loaded, recipe, embeds, seed, pixels=spec.pixels)
    assert isinstance(last, SampledImage)
    return last


def by_pipeline(engine: Engine, spec: ModelSpec, recipe: Recipe, seed: int) -> Image.Image:
    """The same with diffusers' own pipeline and call, around the same weights."""
    parts = {**engine.load().components, "scheduler": build_scheduler(engine.load().scheduler, recipe.scheduler)}
    zeros = engine.load().config["force_zeros_for_empty_prompt"]
    with engine.use(recipe) as loaded:
        parts["unet"] = loaded.unet
        pipeline = StableDiffusionXLPipeline(**parts, force_zeros_for_empty_prompt=zeros, add_watermarker=False)
        pipeline.set_progress_bar_config(disable=True)
        times = {"timesteps": list(recipe.timesteps)} if recipe.timesteps else {"num_inference_steps": recipe.steps}
        return pipeline(
            PROMPT,
            height=spec.pixels,
            width=spec.pixels,
            guidance_scale=recipe.guidance_scale,
            generator=torch.Generator().manual_seed(seed),
            eta=0.0 if recipe.eta is None else recipe.eta,
            **times,
        ).images[0]


def test_every_model_of_the_embedded_family_is_drawn_as_by_the_pipeline(emoji: Family, tmp_path: Path) -> None:
    engine = Engine(emoji, families.machine(tmp_path))
    for spec in emoji.specs:
        for recipe in spec.recipes:
            mine = drawn(engine, spec, recipe, seed=5)
            expected = by_pipeline(engine, spec, recipe, seed=5)
            difference = np.abs(np.asarray(mine.image, dtype=int) - np.asarray(expected, dtype=int))
            assert difference.max() <= 2, (spec.name, recipe.steps, int(difference.max()))
            assert mine.calls == recipe.calls, (spec.name, recipe.steps)
            assert mine.seconds > 0


def test_noise_is_a_function_of_shape_and_seed() -> None:
    noise, _ = initial_noise((1, 4, 8, 8), 3)
    again, _ = initial_noise((1, 4, 8, 8), 3)
    other, _ = initial_noise((1, 4, 8, 8), 4)
    assert torch.equal(noise, again)
    assert not torch.equal(noise, other)


def test_steps_are_told_and_cancelling_comes_before_the_next_call(emoji: Family, tmp_path: Path) -> None:
    engine = Engine(emoji, families.machine(tmp_path))
    recipe = emoji.spec("base").recipe(5)
    embeds = engine.prompts.encode(PROMPT)
    seen: list[int] = []
    with engine.use(recipe) as loaded:
        run = denoise(loaded, recipe, embeds, 0, pixels=emoji.pixels, cancelled=lambda: len(seen) == 2)
        for _ in range(2):
            event = next(run)
            assert isinstance(event, SamplingProgress)
            assert event.clean.shape == (1, 12, 4, 4)
            seen.append(event.step)
        with pytest.raises(Cancelled):
            next(run)
    assert seen == [1, 2]
    assert drawn(engine, emoji.spec("turbo"), emoji.spec("turbo").recipe(), 0).calls >= 1, "the worker is free again"


def test_every_scheduler_tells_what_the_model_believes_in(emoji: Family, tmp_path: Path) -> None:
    engine = Engine(emoji, families.machine(tmp_path))
    tcd = emoji.spec("hyper").recipe(8)
    ddim = replace(tcd, scheduler=emoji.spec("hyper").recipe(2).scheduler, eta=None)
    believed = []
    for recipe in (tcd, ddim):
        embeds = engine.prompts.encode(PROMPT)
        with engine.use(recipe) as loaded:
            first = next(iter(denoise(loaded, recipe, embeds, 0, pixels=emoji.pixels)))
        assert isinstance(first, SamplingProgress)
        believed.append(first.clean)
    assert torch.allclose(*believed, atol=1e-3), "both begin with the same noise at the same time"
