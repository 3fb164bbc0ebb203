"""Every method runs to its end on a tiny family, leaves adapters that load, and goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig

from hypersd.distill.run import METHODS, distill
from hypersd.emoji.latents import LatentScenes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, scenes: LatentScenes) -> Path:
    """A folder of latents, as `hypersd emoji train` leaves it."""
    folder = tmp_path_factory.mktemp("data")
    np.save(folder / "latents.npy", scenes.latents)
    return folder


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_method_leaves_adapters_that_change_what_is_drawn(
    method: str, folder: Path, data: Path, tmp_path: Path
) -> None:
    if method == "turbo":
        save_clip(folder)
    distill(method, folder=folder, out=tmp_path, data=data, shorten=0.003, batch_size=2)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert files
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    arguments = {"prompt": "a cat", "num_inference_steps": 1, "height": 32, "width": 32, "output_type": "latent"}
    plain = pipeline(**arguments, generator=torch.Generator().manual_seed(0)).images
    pipeline.load_lora_weights(tmp_path, weight_name=files[0].name)
    changed = pipeline(**arguments, generator=torch.Generator().manual_seed(0)).images
    assert not torch.equal(plain, changed)
    with pytest.raises(ValueError, match="--resume"):
        distill(method, folder=folder, out=tmp_path, data=data)
    before = {file: file.read_bytes() for file in files}
    distill(method, folder=folder, out=tmp_path, data=data, shorten=0.003, batch_size=2, resume=True)
    assert before == {file: file.read_bytes() for file in files}, "a finished training has nothing left to do"


def save_clip(folder: Path) -> None:
    """The family's CLIP model, random, with the text side's width that the pipeline's pooled embedding has."""
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=128, patch_size=32
    )
    CLIPModel(CLIPConfig(vision_config=vision.to_dict(), projection_dim=16)).save_pretrained(folder / "clip")


def test_an_own_adapter_is_started_from(folder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"gone\.safetensors"):
        distill("backward", folder=folder, out=tmp_path, data=data, adapter=tmp_path / "gone.safetensors")


def test_an_unknown_method_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tscd, backward, one-step, lightning, turbo"):
        distill("magic", folder=folder, out=tmp_path)
