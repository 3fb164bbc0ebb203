"""`--base`: Hyper-SD's LoRAs on other bases (of the Hub, in a folder, in a single file), equal to plain diffusers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from huggingface_hub import constants, hf_hub_download
from PIL import Image
from safetensors.torch import load_file, save_file

from tests import families
from tests.cli.conftest import Call, Result
from tests.single_file import write_single_file

PROMPT = "a red fox"
JUGGERNAUT, DREAMSHAPER = "RunDiffusion/Juggernaut-XL-v9", "Lykon/dreamshaper-8"
REPOSITORIES = {"sdxl": JUGGERNAUT, "sd15": DREAMSHAPER}
FAMILY = [family for family in families.PUBLISHED if family.name in REPOSITORIES]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hub cache with the published families and other bases; and these as folders and as single files."""
    root = tmp_path_factory.mktemp("bases")
    for family in FAMILY:
        families.hub_cache(family, root / "hub")
        pipeline = families.other_pipeline(family.name)
        write_single_file(pipeline, root / f"{family.name}.safetensors")
        home = families.hub_file(root / "hub", REPOSITORIES[family.name], "model_index.json").parent
        for folder in (root / family.name, home):
            pipeline.save_pretrained(folder)
            families.publish_scheduler(folder)
    families.as_blobs(root / "hub")
    return root


@pytest.fixture(autouse=True)
def _offline(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(places / "hub"))
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))


def compared(call: Call, base: object, name: str, out: Path, *more: object) -> Result:
    given = ("--models", "hyper", "--steps", 4, "--seed", 3, "--size", families.SMALLEST_SIDES[name])
    return call("compare", PROMPT, "--base", base, *given, "--out", out, "--json", *more)


def hub_folder(repository: str) -> Path:
    return Path(hf_hub_download(repository, "config.json")).parent


def by_diffusers(folder: Path, name: str, decoder: AutoencoderTiny | None = None) -> Image.Image:
    kind: Any = StableDiffusionXLPipeline if name == "sdxl" else StableDiffusionPipeline
    pipeline = kind.from_pretrained(folder, dtype=torch.float32)
    if decoder is not None:
        pipeline.vae = decoder
    pipeline.load_lora_weights(hf_hub_download("ByteDance/Hyper-SD", f"Hyper-{name.upper()}-4steps-lora.safetensors"))
    pipeline.fuse_lora()
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, timestep_spacing="trailing")
    pipeline.set_progress_bar_config(disable=True)
    side = families.SMALLEST_SIDES[name]
    return pipeline(
        PROMPT,
        width=side,
        height=side,
        num_inference_steps=4,
        guidance_scale=0.0,
        generator=torch.Generator().manual_seed(3),
    ).images[0]


def pixels(picture: Path | Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(picture) if isinstance(picture, Path) else picture, dtype=int)


@pytest.mark.parametrize("name", ["sdxl", "sd15"])
def test_a_lora_on_another_base_draws_as_plain_diffusers_does(
    call: Call, places: Path, tmp_path: Path, name: str
) -> None:
    expected = pixels(by_diffusers(places / name, name))
    sources = {"file": places / f"{name}.safetensors", "folder": places / name, "hub": REPOSITORIES[name]}
    for kind, source in sources.items():
        document = compared(call, source, name, tmp_path / kind).document
        assert document["family"] == name
        assert np.abs(pixels(tmp_path / kind / "hyper.png") - expected).max() <= 1, kind
        base = document["base"]
        assert len(base["sha256"]) == 64
        assert (base["repository"], base["file"]) == ((source, None) if kind == "hub" else (None, Path(source).name))
    given = ("--family", name, "--models", "hyper", "--steps", 4, "--seed", 3)
    call("compare", PROMPT, *given, "--size", families.SMALLEST_SIDES[name], "--out", tmp_path / "own")
    assert np.abs(pixels(tmp_path / "own" / "hyper.png") - expected).max() > 1


def test_a_tiny_decoder_decodes_as_in_plain_diffusers(
    call: Call, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("--models", "hyper", "--steps", 4, "--seed", 3, "--size", families.SMALLEST_SIDES["sd15"])
    tiny = ("compare", PROMPT, "--base", places / "sd15", *given, "--decoder", "tiny")
    document = call(*tiny, "--out", tmp_path / "tiny", "--json").document
    assert document["vae"] == "madebyollin/taesd"
    decoder = AutoencoderTiny.from_pretrained(hub_folder("madebyollin/taesd"), dtype=torch.float32)
    expected = pixels(by_diffusers(places / "sd15", "sd15", decoder))
    assert np.abs(pixels(tmp_path / "tiny" / "hyper.png") - expected).max() <= 1
    assert np.abs(pixels(by_diffusers(places / "sd15", "sd15")) - expected).max() > 1
    like = ("compare", "--like", tmp_path / "tiny" / "hyper.png")
    assert call(*like, "--base", places / "sd15", "--out", tmp_path / "again").status == 0
    assert np.array_equal(pixels(tmp_path / "again" / "hyper.png"), pixels(tmp_path / "tiny" / "hyper.png"))
    assert "leave out --decoder" in call(*like, "--decoder", "full", "--out", tmp_path / "no").complaint
    other = call(*tiny[:-2], "--out", tmp_path / "tiny", "--resume")
    assert "was drawn with another VAE (madebyollin/taesd, not None)" in other.complaint
    emoji = call("compare", "a cat", "--decoder", "tiny", "--out", tmp_path / "emoji")
    assert "emoji has no tiny decoder" in emoji.complaint


def test_what_is_drawn_is_drawn_again_from_its_picture(call: Call, places: Path, tmp_path: Path) -> None:
    compared(call, DREAMSHAPER, "sd15", tmp_path / "hub")
    call("compare", "--like", tmp_path / "hub" / "hyper.png", "--out", tmp_path / "again")
    assert np.array_equal(pixels(tmp_path / "again" / "hyper.png"), pixels(tmp_path / "hub" / "hyper.png"))
    like = ("compare", "--like", tmp_path / "hub" / "grid.png", "--out", tmp_path / "no")
    assert "leave out --base" in call(*like, "--base", DREAMSHAPER).complaint


def test_a_picture_on_a_file_asks_for_the_same_file(call: Call, places: Path, tmp_path: Path) -> None:
    file = places / "sd15.safetensors"
    compared(call, file, "sd15", tmp_path / "file")
    like = ("compare", "--like", tmp_path / "file" / "hyper.png", "--out", tmp_path / "again")
    assert "was drawn on sd15.safetensors; say where it is with --base" in call(*like).complaint
    state = load_file(file)
    save_file({key: 1.01 * value for key, value in state.items()}, tmp_path / "other.safetensors")
    assert "on another sd15.safetensors" in call(*like, "--base", tmp_path / "other.safetensors").complaint
    assert not (tmp_path / "again").exists()
    assert call(*like, "--base", file).status == 0
    assert np.array_equal(pixels(tmp_path / "again" / "hyper.png"), pixels(tmp_path / "file" / "hyper.png"))


def test_models_with_a_unet_of_their_own_are_left_out(call: Call, places: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    given = ("compare", PROMPT, "--base", places / "sdxl", "--out", taken)
    done = call(*given)
    assert "without turbo: it has a UNet of its own" in done.err
    assert "without perflow: it has a UNet of its own" in done.err
    assert f"cannot write to {taken}" in done.err
    assert "turbo does not run on another base" in call(*given, "--models", "turbo").complaint
    only = call(*given, "--models", "hyper", "--steps", 1)
    assert "hyper does not run at 1 steps; choose from: 2, 4, 8" in only.complaint
    for name in ("hyper-unified", "lightning", "lcm", "tcd", "dmd2", "base"):
        assert "cannot write to" in call(*given, "--models", name).complaint


def test_another_base_does_not_go_on_where_one_was_drawn(call: Call, places: Path, tmp_path: Path) -> None:
    compared(call, places / "sd15", "sd15", tmp_path)
    again = compared(call, places / "sd15.safetensors", "sd15", tmp_path, "--resume")
    assert "was drawn with another base (sd15, not sd15.safetensors)" in again.complaint


def test_control_follows_lines_on_another_base(call: Call, places: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (512, 512), "teal")
    picture.paste("orange", (100, 100, 300, 300))
    picture.save(tmp_path / "square.png")
    given = ("--image", tmp_path / "square.png", "--mode", "canny", "--steps", 1, "--out", tmp_path / "out", "--json")
    document = call("control", PROMPT, "--base", DREAMSHAPER, *given).document
    assert document["base"]["repository"] == DREAMSHAPER
    assert document["runs"][0]["file"]


def _changed(places: Path, out: Path, changes: dict[str, Any]) -> Path:
    """The tiny SD 1.5 checkpoint with other tensors; None takes one away."""
    state = {**load_file(places / "sd15.safetensors"), **changes}
    save_file({key: value for key, value in state.items() if value is not None}, out)
    return out


FIRST = "model.diffusion_model.input_blocks.0.0.weight"
WRONG_FILES = {
    "inpainting": ({FIRST: torch.zeros(32, 9, 3, 3)}, "is an inpainting model: its UNet reads 9 channels, not the 4"),
    "pairs": ({FIRST: torch.zeros(32, 8, 3, 3)}, "is made for other inputs: its UNet reads 8 channels, not the 4"),
    "v-prediction": ({"v_pred": torch.zeros(1)}, "does not predict the noise"),
    "unet-alone": (
        {"first_stage_model.decoder.conv_in.weight": None},
        "is incomplete: it has no VAE; give a whole checkpoint",
    ),
    "wider": ({FIRST: torch.zeros(64, 4, 3, 3)}, "is no base for the few-step models here"),
    "lora": ({FIRST: None}, "is no single-file checkpoint of SDXL or SD 1.5"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_checkpoint_that_is_no_base_is_refused(call: Call, places: Path, tmp_path: Path, case: str) -> None:
    changes, complaint = WRONG_FILES[case]
    file = _changed(places, tmp_path / "base.safetensors", changes)
    assert complaint in compared(call, file, "sd15", tmp_path / "out").complaint
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_weights_are_refused(call: Call, places: Path, tmp_path: Path) -> None:
    whole = (places / "sd15.safetensors").read_bytes()
    contents = {
        "model.ckpt": (b"PK\x03\x04", "is a pickle, which is not opened since it can run code"),
        "cut.safetensors": (whole[: len(whole) // 2], "it is truncated"),
        "lfs.safetensors": (b"version https://git-lfs.github.com/spec/v1\n", "is a git-lfs pointer"),
        "zip.safetensors": (b"PK\x03\x04rest", "a PyTorch pickle is one"),
    }
    for name, (content, complaint) in contents.items():
        (tmp_path / name).write_bytes(content)
        assert complaint in compared(call, tmp_path / name, "sd15", tmp_path / "out").complaint
    assert (
        "there is no file or folder gone.safetensors"
        in compared(call, "gone.safetensors", "sd15", tmp_path / "out").complaint
    )
    gone = compared(call, "nobody/nothing", "sd15", tmp_path / "out").complaint
    assert "unet/config.json is not downloaded and the Hub cannot be reached" in gone


def test_a_folder_that_is_no_base_is_refused(call: Call, places: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    families.sd_pipeline().save_pretrained(folder)
    scheduler = folder / "scheduler" / "scheduler_config.json"
    noise = scheduler.read_text()
    scheduler.write_text(json.dumps({**json.loads(noise), "prediction_type": "v_prediction"}))
    assert "does not predict the noise" in compared(call, folder, "sd15", tmp_path / "out").complaint
    scheduler.write_text(noise)
    wrong = ("--family", "sdxl")
    assert "is a base of sd15, not of sdxl" in compared(call, folder, "sd15", tmp_path / "out", *wrong).complaint
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert "is a pickle, which is not opened" in compared(call, folder, "sd15", tmp_path / "out").complaint


def test_a_single_file_asks_for_the_configurations_of_its_architecture(
    call: Call, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    complaint = compared(call, places / "sd15.safetensors", "sd15", tmp_path / "out").complaint
    assert "is no base for the few-step models here" in complaint  # the tiny one; it is compared with the real shape
