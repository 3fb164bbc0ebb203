"""Recipes against the published settings."""

from __future__ import annotations

from pathlib import Path

import diffusers
import pytest

from hypersd.models.registry import FAMILIES, family
from hypersd.models.specs import Family, ModelSpec, Recipe

HYPER = "ByteDance/Hyper-SD"
CARDS = [(family, spec) for family in FAMILIES.values() for spec in family.specs]
DDIM, EULER, TCD, LCM = "DDIMScheduler", "EulerDiscreteScheduler", "TCDScheduler", "LCMScheduler"
ANCESTRAL = "EulerAncestralDiscreteScheduler"
LORA = "pytorch_lora_weights.safetensors"


@pytest.mark.parametrize(
    ("family_name", "model", "steps", "repository", "file", "scheduler", "eta", "timesteps"),
    [
        ("sdxl", "hyper", 1, HYPER, "Hyper-SDXL-1step-Unet.safetensors", LCM, None, (800,)),
        ("sdxl", "hyper", 2, HYPER, "Hyper-SDXL-2steps-lora.safetensors", DDIM, None, None),
        ("sdxl", "hyper", 4, HYPER, "Hyper-SDXL-4steps-lora.safetensors", DDIM, None, None),
        ("sdxl", "hyper", 8, HYPER, "Hyper-SDXL-8steps-lora.safetensors", DDIM, None, None),
        ("sdxl", "hyper-unified", 1, HYPER, "Hyper-SDXL-1step-lora.safetensors", TCD, 1.0, None),
        (
            "sdxl",
            "lightning",
            1,
            "ByteDance/SDXL-Lightning",
            "sdxl_lightning_1step_unet_x0.safetensors",
            EULER,
            None,
            None,
        ),
        (
            "sdxl",
            "lightning",
            2,
            "ByteDance/SDXL-Lightning",
            "sdxl_lightning_2step_lora.safetensors",
            EULER,
            None,
            None,
        ),
        (
            "sdxl",
            "lightning",
            8,
            "ByteDance/SDXL-Lightning",
            "sdxl_lightning_8step_lora.safetensors",
            EULER,
            None,
            None,
        ),
        ("sdxl", "turbo", 1, "stabilityai/sdxl-turbo", None, ANCESTRAL, None, None),
        ("sdxl", "lcm", 4, "latent-consistency/lcm-lora-sdxl", LORA, LCM, None, None),
        ("sdxl", "tcd", 4, "h1t/TCD-SDXL-LoRA", LORA, TCD, 0.3, None),
        ("sd15", "hyper", 2, HYPER, "Hyper-SD15-2steps-lora.safetensors", DDIM, None, None),
        ("sd15", "hyper", 8, HYPER, "Hyper-SD15-8steps-lora.safetensors", DDIM, None, None),
        ("sd15", "hyper-unified", 1, HYPER, "Hyper-SD15-1step-lora.safetensors", TCD, 1.0, None),
        ("sd15", "lcm", 4, "latent-consistency/lcm-lora-sdv1-5", LORA, LCM, None, None),
        ("sd15", "tcd", 4, "h1t/TCD-SD15-LoRA", LORA, TCD, 0.3, None),
    ],
)
def test_published_recipes(  # noqa: PLR0917 - a row of the table
    family_name: str,
    model: str,
    steps: int,
    repository: str,
    file: str | None,
    scheduler: str,
    eta: float | None,
    timesteps: tuple[int, ...] | None,
) -> None:
    recipe = family(family_name).spec(model).recipe(steps)
    assert (recipe.weights.repository, recipe.weights.file) == (repository, file)
    assert (recipe.scheduler.name, recipe.eta, recipe.timesteps) == (scheduler, eta, timesteps)
    assert recipe.guidance_scale == 0
    if scheduler in {DDIM, EULER, ANCESTRAL}:
        assert recipe.scheduler.arguments["timestep_spacing"] == "trailing"


def test_published_bases() -> None:
    sdxl, sd15 = family("sdxl"), family("sd15")
    assert sdxl.repository == "stabilityai/stable-diffusion-xl-base-1.0"
    assert sdxl.vae == "madebyollin/sdxl-vae-fp16-fix"
    assert sd15.repository == "stable-diffusion-v1-5/stable-diffusion-v1-5", "runwayml's is gone"
    for each in (sdxl, sd15):
        recipe = each.spec("base").recipe()
        assert (recipe.steps, recipe.guidance_scale) == (25, 7.5)
    assert sdxl.spec("base").recipe().calls == 50, "as the paper counts"
    assert sdxl.spec("turbo").pixels == 512
    arguments = sdxl.spec("lightning").recipe(1).scheduler.arguments
    assert arguments["prediction_type"] == "sample"


@pytest.mark.parametrize(("family", "spec"), CARDS, ids=lambda value: value.name)
def test_every_card_is_sound(family: Family, spec: ModelSpec) -> None:
    steps = [recipe.steps for recipe in spec.recipes]
    assert steps == sorted(set(steps))
    assert spec.default_steps in steps
    assert spec.licence
    assert spec.source
    for recipe in spec.recipes:
        assert hasattr(diffusers, recipe.scheduler.name) or recipe.scheduler.name == "PeRFlowScheduler"
        assert recipe.weights.repository or family.folder or recipe.weights.kind == "none"
        assert (recipe.weights.file is None) == (recipe.weights.kind in {"none", "pipeline"})
        assert recipe.weights.file is None or Path(recipe.weights.file).suffix == ".safetensors"
        assert recipe.eta is None or recipe.scheduler.name in {"TCDScheduler", "DDIMScheduler"}
        assert recipe.timesteps is None or recipe.scheduler.name != "DDIMScheduler", "DDIM takes none"


def test_only_the_embedded_family_is_a_reimplementation() -> None:
    assert [each.name for each in FAMILIES.values() if each.is_reimplementation] == ["emoji"]
    assert list(FAMILIES) == ["emoji", "sdxl", "sd15", "sd21"]


def test_unknown_names_and_steps_are_refused_with_what_exists() -> None:
    with pytest.raises(ValueError, match="emoji, sdxl, sd15, sd21"):
        family("sd3")
    with pytest.raises(ValueError, match="base, hyper"):
        family("sdxl").spec("hypr")
    with pytest.raises(ValueError, match="1, 2, 4, 8"):
        family("sdxl").spec("hyper").recipe(3)
    with pytest.raises(ValueError, match="1 to 50"):
        family("sdxl").spec("base").recipe(51)


def test_the_base_runs_at_any_number_of_steps() -> None:
    recipe: Recipe = family("sdxl").spec("base").recipe(7)
    assert (recipe.steps, recipe.calls, recipe.guidance_scale) == (7, 14, 7.5)
