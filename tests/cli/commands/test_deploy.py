"""`deploy`, as far as it goes without a Hub; the upload is tested on a Hub of its own."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Call


def test_a_dry_run_lists_the_files_and_their_sizes(call: Call) -> None:
    listed = call("deploy", "--space", "me/hyper", "--dry-run", "--json").document
    assert listed["space"] == "me/hyper"
    sizes = {row["path"]: row["bytes"] for row in listed["files"]}
    assert sum(sizes.values()) == listed["bytes"]
    assert sizes["app.py"] > 0
    text = call("deploy", "--space", "me/hyper", "--dry-run").out
    assert f"{len(sizes)} files, {listed['bytes'] / 1e6:.1f} MB, would be uploaded to me/hyper; nothing was." in text


def test_a_published_family_is_preloaded_and_shown_first(call: Call) -> None:
    listed = call("deploy", "--space", "me/hyper", "--family", "sdxl", "--dry-run", "--json").document
    assert listed["variables"] == {"GRADIO_SSR_MODE": "false", "HYPERSD_FAMILY": "sdxl"}
    files = dict(line.split(" ") for line in listed["preload"])
    base = files["stabilityai/stable-diffusion-xl-base-1.0"].split(",")
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in base
    assert "text_encoder_2/model.fp16.safetensors" in base
    assert not [name for name in base if name.startswith("vae/diffusion")], "another repository's VAE is used"
    assert "Hyper-SDXL-4steps-lora.safetensors" in files["ByteDance/Hyper-SD"].split(",")
    text = call("deploy", "--space", "me/hyper", "--family", "sdxl", "--dry-run").out
    assert "HYPERSD_FAMILY=sdxl" in text
    assert "in the image: ByteDance/Hyper-SD " in text
    shipped = call("deploy", "--space", "me/hyper", "--family", "emoji", "--dry-run", "--json").document
    assert shipped["preload"] == []
    assert "choose from: emoji" in call("deploy", "--space", "me/hyper", "--family", "flux", "--dry-run").complaint


def test_without_a_login_it_says_how_to_log_in(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "hf auth login" in call("deploy", "--space", "me/hyper").complaint


def test_the_space_is_checked_first(call: Call) -> None:
    assert "OWNER/NAME" in call("deploy", "--space", "hyper", "--dry-run").complaint
