"""Adapter files that other programs read."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file

from hypersd.distill.student import Student
from hypersd.models.model_source import ModelSource
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
