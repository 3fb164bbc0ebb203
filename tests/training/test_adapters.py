"""Adapter files that other programs read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file

from hypersd.distill.student import Student
from hypersd.models.model_source import ModelSource
from hypersd.training.adapter_passes import disable_adapter, fused_adapter, swapped_adapter
from hypersd.training.adapters import export_kohya, save_adapter
from tests.families import write_emoji


def drawn(folder: Path, adapter: Path) -> torch.Tensor:
    """Latents that plain diffusers draws with an adapter file."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(adapter.parent, weight_name=adapter.name)
    generator = torch.Generator().manual_seed(0)
    return pipeline(
        "a cat", num_inference_steps=2, height=32, width=32, output_type="latent", generator=generator
    ).images


def test_both_formats_load_back_to_equal_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "emoji"
    write_emoji(folder, ["hyper"])
    student = Student(ModelSource(folder), rank=2)
    for weight in student.weights:
        torch.nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(1))
    ours, kohya = tmp_path / "ours.safetensors", tmp_path / "kohya.safetensors"
    save_adapter(student.unet, ours)
    export_kohya(ours, kohya)
    names = load_file(kohya)
    assert all(name.startswith("lora_unet_") for name in names)
    assert sum(name.endswith(".alpha") for name in names) == len(names) // 3
    assert torch.equal(drawn(folder, ours), drawn(folder, kohya))
    assert not torch.equal(drawn(folder, ours), drawn(folder, folder / "adapters" / "hyper.safetensors"))


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """A student whose adapter changes something."""
    folder = tmp_path_factory.mktemp("family") / "emoji"
    write_emoji(folder, [])
    student = Student(ModelSource(folder), rank=2)
    for weight in student.weights:
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(1))
    return student


def predicted(student: Student) -> torch.Tensor:
    noise = torch.randn((2, *student.latent_shape), generator=torch.Generator().manual_seed(0))
    return student.predict(noise, torch.tensor([999, 20]), student.text.conditioning(["a cat", ""]))


@torch.no_grad()
def test_a_fused_pass_is_the_pass_with_the_adapter_apart(shaken: Student) -> None:
    others = [2 * weight for weight in shaken.weights]
    own, bases = predicted(shaken), [weight for weight in shaken.unet.parameters() if not weight.requires_grad]
    kept = [weight.clone() for weight in bases]
    with swapped_adapter(shaken.unet, others):
        swapped = predicted(shaken)
    with disable_adapter(shaken.unet):
        base = predicted(shaken)
    with fused_adapter(shaken.unet):
        torch.testing.assert_close(predicted(shaken), own, rtol=0, atol=1e-5)
    with fused_adapter(shaken.unet, others):
        torch.testing.assert_close(predicted(shaken), swapped, rtol=0, atol=1e-5)
        with disable_adapter(shaken.unet):
            assert torch.equal(predicted(shaken), base)
    conditioning = shaken.text.conditioning(["a cat"])
    conditioning["encoder_hidden_states"] = conditioning["encoder_hidden_states"][..., :7]
    with pytest.raises(RuntimeError, match="shapes"), fused_adapter(shaken.unet, others):
        shaken.predict(torch.zeros((1, *shaken.latent_shape)), torch.tensor([0]), conditioning)
    assert all(torch.equal(weight, before) for weight, before in zip(bases, kept, strict=True))
    assert torch.equal(predicted(shaken), own)
    assert not torch.allclose(own, base)
    with fused_adapter(shaken.unet), torch.autocast("cpu", torch.bfloat16):
        half = predicted(shaken)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(half, predicted(shaken)), "rounding W + BA would hide small changes of BA"
