"""The published ControlNets, without a network: from the Hub's cache by the command line, equal to plain diffusers.

As the cards of Hyper-SD and of the ControlNets run them; names of repositories and numbers are written down again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetPipeline,
    TCDScheduler,
)
from huggingface_hub import constants, hf_hub_download
from PIL import Image, ImageDraw

from hypersd.models.registry import FAMILIES
from tests import families
from tests.cli.conftest import Call

PROMPT = "a red fox"
SCALES = {
    ("sdxl", "canny"): ("diffusers/controlnet-canny-sdxl-1.0", 0.5),
    ("sd15", "canny"): ("lllyasviel/control_v11p_sd15_canny", 1.0),
    ("sd15", "scribble"): ("lllyasviel/control_v11p_sd15_scribble", 1.0),
}
SIDE = {"sdxl": 1024, "sd15": 512}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("hub")
    for name in ("sdxl", "sd15"):
        family = FAMILIES[name]
        families.hub_cache(replace(family, specs=(family.spec("base"), family.spec("hyper-unified"))), cache)
    return cache


@pytest.fixture(autouse=True)
def _offline(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert constants.HF_HUB_OFFLINE
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    image = Image.new("RGB", (1024, 1024), (60, 90, 220))
    ImageDraw.Draw(image).ellipse((200, 240, 700, 900), fill="orange")
    image.save(tmp_path / "photograph.png")
    return tmp_path / "photograph.png"


def by_diffusers(family: str, control: Image.Image, repository: str, scale: float, steps: int) -> Image.Image:
    half = {"variant": "fp16", "dtype": torch.float32}
    controlnet: Any = ControlNetModel.from_pretrained(repository, **half)
    pipeline: Any
    if family == "sdxl":
        vae = AutoencoderKL.from_pretrained("madebyollin/sdxl-vae-fp16-fix", dtype=torch.float32)
        pipeline = StableDiffusionXLControlNetPipeline.from_pretrained(
            "stabilityai/stable-diffusion-xl-base-1.0",
            controlnet=controlnet,
            vae=vae,
            add_watermarker=False,
            **half,
        )
    else:
        pipeline = StableDiffusionControlNetPipeline.from_pretrained(
            "stable-diffusion-v1-5/stable-diffusion-v1-5",
            controlnet=controlnet,
            safety_checker=None,
            requires_safety_checker=False,
            **half,
        )
    arch = {"sdxl": "SDXL", "sd15": "SD15"}[family]
    pipeline.load_lora_weights(hf_hub_download("ByteDance/Hyper-SD", f"Hyper-{arch}-1step-lora.safetensors"))
    pipeline.fuse_lora()
    pipeline.scheduler = TCDScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        PROMPT,
        image=control,
        num_inference_steps=steps,
        guidance_scale=0.0,
        eta=1.0,
        controlnet_conditioning_scale=scale,
        generator=torch.Generator().manual_seed(3),
    ).images[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "mode"), SCALES)
def test_a_controlnet_draws_as_its_pipeline_does(
    call: Call, tmp_path: Path, photograph: Path, family: str, mode: str
) -> None:
    words = ("--image", photograph, "--family", family, "--mode", mode, "--steps", "1,2", "--seed", 3)
    document = call("control", PROMPT, *words, "--out", tmp_path / "out", "--json").document
    repository, scale = SCALES[family, mode]
    assert document["control"]["weights"]["repository"] == repository
    assert document["control"]["scale"] == scale
    with Image.open(tmp_path / "out" / "control.png") as control:
        control.load()
    assert control.size == (SIDE[family], SIDE[family])
    for run in document["runs"]:
        assert (run["model"], run["eta"], run["guidance_scale"]) == ("hyper-unified", 1.0, 0.0)
        expected = by_diffusers(family, control, repository, scale, run["steps"])
        with Image.open(tmp_path / "out" / run["file"]) as picture:
            difference = np.abs(np.asarray(picture, dtype=int) - np.asarray(expected, dtype=int))
        assert difference.max() <= 1


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (
            lambda file: file.unlink(),
            "lllyasviel/control_v11p_sd15_scribble is not downloaded, and there is no network",
        ),
        (lambda file: file.resolve().write_bytes(file.read_bytes()[:-1000]), "truncated"),
    ],
)
def test_a_missing_or_damaged_controlnet_is_said_in_a_sentence(  # noqa: PLR0917 - a row of the table
    call: Call, tmp_path: Path, photograph: Path, cache: Path, spoil: Any, complaint: str
) -> None:
    repository = cache / "models--lllyasviel--control_v11p_sd15_scribble"
    (file,) = repository.glob("snapshots/*/*.fp16.safetensors")
    blob, content = file.resolve(), file.read_bytes()
    spoil(file)
    try:
        words = ("--image", photograph, "--family", "sd15", "--mode", "scribble", "--steps", "1")
        assert complaint in call("control", PROMPT, *words, "--out", tmp_path / "out").complaint
    finally:
        blob.write_bytes(content)
        if not file.is_symlink():
            file.symlink_to(blob)
