"""`--style`: LoRAs on the base below the models' own, equal to plain diffusers with both adapters set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionXLPipeline
from PIL import Image

from hypersd.evaluate.metric_sources import STYLE, PromptPictures
from hypersd.models.families.embedded import rendered_scenes
from hypersd.models.family_bases import with_named_base
from hypersd.models.registry import FAMILIES, living_in
from tests import families
from tests.cli.conftest import Call

PROMPT = "a cat"
GIVEN = ("--models", "hyper", "--steps", 2, "--seed", 3)
HALF = 0.5
SIDE = FAMILIES["emoji"].pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny embedded family; beside it a style, a style of another seed, and an adapter of another family."""
    root = tmp_path_factory.mktemp("styles")
    families.emoji_family(FAMILIES["emoji"], root / "emoji-xl")
    pipeline = families.sdxl_pipeline(emoji=True)
    for name, seed in (("watercolour", 21), ("ink", 22)):
        state = families.lora_state(pipeline.unet, seed=seed)
        StableDiffusionXLPipeline.save_lora_weights(root, unet_lora_layers=state, weight_name=f"{name}.safetensors")
    state = families.lora_state(families.sd_pipeline().unet, seed=1)
    StableDiffusionXLPipeline.save_lora_weights(root, unet_lora_layers=state, weight_name="sd15.safetensors")
    return root


@pytest.fixture(autouse=True)
def _family(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERSD_EMOJI", str(folder / "emoji-xl"))
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))


def by_diffusers(folder: Path, *, steps: int, few_step: bool, guidance: float) -> Image.Image:
    pipeline: Any = StableDiffusionXLPipeline.from_pretrained(folder / "emoji-xl", dtype=torch.float32)
    pipeline.load_lora_weights(folder / "watercolour.safetensors", adapter_name="style")
    names, scales = ["style"], [HALF]
    if few_step:
        pipeline.load_lora_weights(folder / "emoji-xl" / "adapters" / "hyper.safetensors", adapter_name="hyper")
        names, scales = ["style", "hyper"], [HALF, 1.0]
    pipeline.set_adapters(names, scales)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, timestep_spacing="trailing")
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(3)
    size = {"width": SIDE, "height": SIDE}
    return pipeline(PROMPT, num_inference_steps=steps, guidance_scale=guidance, generator=generator, **size).images[0]


def pixels(picture: Path | Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(picture) if isinstance(picture, Path) else picture, dtype=int)


def test_a_style_draws_as_two_adapters_of_plain_diffusers(call: Call, folder: Path, tmp_path: Path) -> None:
    style = ("--style", f"{folder}/watercolour.safetensors:{HALF}")
    given = ("--models", "base,hyper", "--steps", 2, "--seed", 3)
    document = call("compare", PROMPT, *given, *style, "--out", tmp_path / "styled", "--json").document
    call("compare", PROMPT, *given, "--out", tmp_path / "plain")
    for model, guidance in (("base", 3.0), ("hyper", 0.0)):
        expected = by_diffusers(folder, steps=2, few_step=model == "hyper", guidance=guidance)
        drawn = pixels(tmp_path / "styled" / f"{model}.png")
        assert np.abs(drawn - pixels(expected)).max() <= 1, model
        assert np.abs(drawn - pixels(tmp_path / "plain" / f"{model}.png")).max() > 1, model
    (record,) = document["styles"]
    assert (record["file"], record["scale"], len(record["sha256"])) == ("watercolour.safetensors", HALF, 64)


def test_styles_are_drawn_again_only_with_the_same_files(call: Call, folder: Path, tmp_path: Path) -> None:
    style, ink = f"{folder}/watercolour.safetensors:{HALF}", folder / "ink.safetensors"
    call("compare", PROMPT, *GIVEN, "--style", style, "--out", tmp_path / "first")
    like = ("compare", "--like", tmp_path / "first" / "hyper.png", "--out", tmp_path / "again")
    assert "with the styles watercolour.safetensors; name each file with --style" in call(*like).complaint
    assert f"watercolour.safetensors at strength {HALF}" in call(*like, "--style", ink).complaint
    assert not (tmp_path / "again").exists()
    assert call(*like, "--style", style).status == 0
    assert np.array_equal(pixels(tmp_path / "again" / "hyper.png"), pixels(tmp_path / "first" / "hyper.png"))
    resumed = call("compare", PROMPT, *GIVEN, "--style", ink, "--out", tmp_path / "first", "--resume")
    assert "was drawn with another set of styles" in resumed.complaint
    call("compare", PROMPT, *GIVEN, "--out", tmp_path / "plain")
    unstyled = call("compare", "--like", tmp_path / "plain" / "hyper.png", "--style", ink, "--out", tmp_path / "no")
    assert "leave out --style" in unstyled.complaint


def test_a_styled_base_is_the_base_with_its_lora(call: Call, folder: Path, tmp_path: Path) -> None:
    file = folder / "emoji-xl" / "styles" / "noto" / "style.safetensors"
    for name, option in (("named", ("--base", "noto")), ("file", ("--style", file))):
        call("compare", PROMPT, *GIVEN, *option, "--out", tmp_path / name)
    named = tmp_path / "named" / "hyper.png"
    assert np.array_equal(pixels(named), pixels(tmp_path / "file" / "hyper.png"))
    call("compare", "--like", named, "--out", tmp_path / "again")
    assert np.array_equal(pixels(tmp_path / "again" / "hyper.png"), pixels(named))
    inked = ("--base", "noto", "--style", folder / "ink.safetensors")
    assert call("compare", PROMPT, *GIVEN, *inked, "--out", tmp_path / "both").status == 0
    assert np.any(pixels(tmp_path / "both" / "hyper.png") != pixels(named))
    missing = call("compare", PROMPT, *GIVEN, "--base", "flat", "--out", tmp_path / "missing")
    assert "train it with `python -m hypersd emoji train --stages styles`" in missing.complaint
    other = call("compare", PROMPT, "--base", "noto", "--family", "sdxl", "--out", tmp_path / "missing")
    assert "noto is a base of emoji, not of sdxl" in other.complaint
    listed = call("models", "--family", "emoji", "--json").document["bases"]
    assert [base["name"] for base in listed if base["available"]] == ["noto"]


def test_a_styled_base_is_judged_by_its_own_sprites(call: Call, folder: Path, tmp_path: Path) -> None:
    (row,) = call(
        "evaluate", *GIVEN, "--base", "noto", "--count", 1, "--metrics", "match,style", "--out", tmp_path, "--json"
    ).document["rows"]
    assert row["style"] in {0, 1}
    complaint = call("evaluate", *GIVEN, "--count", 1, "--metrics", "style", "--out", tmp_path / "no").complaint
    assert "the metric 'style' is of a base in another style" in complaint
    family = living_in(folder / "emoji-xl", FAMILIES["emoji"])
    styled = with_named_base(family, "noto").family
    prompt, kept = "a big cat on a blue background", []
    for drawn in (family, styled):
        image = Image.fromarray(next(rendered_scenes(drawn, [prompt], 1, 0)))
        pictures = PromptPictures(prompt=prompt, images=[image], runs=[("hyper", 2)])
        kept += STYLE.read(STYLE.load(styled, families.machine(tmp_path)), pictures)
    assert kept == [False, True]


def test_a_style_that_cannot_be_used_is_refused_before_any_work(call: Call, folder: Path, tmp_path: Path) -> None:
    given = ("compare", PROMPT, *GIVEN, "--out", tmp_path / "out")
    complaints = {
        f"{folder}/gone.safetensors": "gone.safetensors",
        f"{folder}/sd15.safetensors": "use an adapter that was made for this family",
        f"{folder}/ink.safetensors:3": "strength must be a number above 0 and up to 2",
        f"{folder}/ink.safetensors:much": "expected a number such as 0.8, not 'much'",
        "": "expected a LoRA file, not an empty text",
    }
    for style, complaint in complaints.items():
        assert complaint in call(*given, "--style", style).complaint
    assert not (tmp_path / "out").exists()


def test_an_evaluation_takes_styles_and_other_bases(call: Call, folder: Path, tmp_path: Path) -> None:
    given = ("evaluate", *GIVEN, "--count", 2, "--metrics", "object", "--json")
    plain, ink = tmp_path / "plain", folder / "ink.safetensors"
    rows = call(*given, "--out", plain).document["rows"]
    styled = call(*given, "--style", ink, "--out", tmp_path / "styled").document["rows"]
    assert [row["model"] for row in rows] == [row["model"] for row in styled] == ["hyper"]
    assert "was measured with other styles" in call(*given, "--style", ink, "--out", plain, "--resume").complaint
    assert "is a base of" in call(*given, "--base", folder / "emoji-xl", "--family", "sdxl", "--out", plain).complaint
    for what in ("tables", "control"):
        refused = call("evaluate", what, "--style", ink, "--out", tmp_path / what)
        assert "leave out --style" in refused.complaint
