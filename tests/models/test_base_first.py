"""The base for the first steps of a few-step model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hypersd.models import held_unets as engines
from hypersd.models.base_first import with_base_first
from hypersd.models.engine import Engine
from hypersd.models.specs import Family, Recipe
from hypersd.models.weights import Weights
from hypersd.sampling.sampler import SampledImage, SamplingProgress, denoise
from tests import families

PROMPT = "a cat on blue"


def steps_of(family: Family, cache: Path, recipe: Recipe) -> tuple[list[torch.Tensor], SampledImage]:
    """The clean latents that are believed in after each step, and the end."""
    engine = Engine(family, families.machine(cache))
    embeds = engine.prompts.encode(PROMPT)
    with engine.use(recipe) as loaded:
        events = list(denoise(loaded, recipe, embeds, 3, pixels=family.pixels))
    *steps, end = events
    assert isinstance(end, SampledImage)
    return [step.clean for step in steps if isinstance(step, SamplingProgress)], end


@pytest.mark.parametrize("budget", [engines.GIB, 1], ids=["fused", "shared"])
def test_the_first_steps_are_the_base_s_and_the_others_the_model_s(
    emoji: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setattr(engines, "_CPU_BUDGET", budget)
    plain = emoji.spec("hyper").recipe(2)
    begun = with_base_first(emoji, 1).spec("hyper").recipe(2)
    base = replace(plain, weights=Weights(), guidance_scale=3.0)
    (first, second), end = steps_of(emoji, tmp_path, begun)
    (base_first, base_second), base_end = steps_of(emoji, tmp_path, base)
    (own_first, _), own_end = steps_of(emoji, tmp_path, plain)
    torch.testing.assert_close(first, base_first)
    assert not torch.allclose(first, own_first, atol=1e-3)
    assert not torch.allclose(second, base_second, atol=1e-3)
    assert (end.calls, base_end.calls, own_end.calls) == (3, 4, 2) == (begun.calls, base.calls, plain.calls)


def test_a_shared_base_ends_where_a_fused_model_does(
    emoji: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = with_base_first(emoji, 1).spec("hyper").recipe(4)
    fused = steps_of(emoji, tmp_path, begun)[0]
    monkeypatch.setattr(engines, "_CPU_BUDGET", 1)
    shared = steps_of(emoji, tmp_path, begun)[0]
    for fused_step, shared_step in zip(fused, shared, strict=True):
        torch.testing.assert_close(fused_step, shared_step, rtol=1e-2, atol=1e-2)


def test_recipes_without_a_step_left_are_left_out(emoji: Family) -> None:
    begun = with_base_first(emoji, 2)
    assert {spec.name: [recipe.steps for recipe in spec.recipes] for spec in begun.specs} == {
        "base": [25],
        "hyper": [4, 8],
        "lightning": [4],
        "turbo": [4],
    }
    assert begun.spec("base") == emoji.spec("base")
    assert begun.spec("turbo").recipe().steps == 4
    assert {recipe.base_guidance for spec in begun.specs[1:] for recipe in spec.recipes} == {3.0}
    with pytest.raises(ValueError, match="no model of emoji runs at more than 8 steps"):
        with_base_first(emoji, 8)
