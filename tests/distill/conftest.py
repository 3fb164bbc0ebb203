"""A tiny random family and a handful of latents to distil on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hypersd.distill.student import Student
from hypersd.emoji.scenes import TrainingScenes
from hypersd.emoji.world import World
from hypersd.models.model_source import ModelSource
from hypersd.training.adapters import save_adapter
from hypersd.training.data import LatentBatches
from hypersd.training.objective import StepContext
from tests.families import write_emoji


def step(number: int = 0) -> StepContext:
    """Context of an objective's step number `number`."""
    return StepContext(
        number=number,
        progress=0.0,
        device=torch.device("cpu"),
        generator=torch.Generator().manual_seed(number),
        rng=np.random.default_rng(number),
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A family's folder, with an adapter of few steps that changes nothing yet."""
    folder = tmp_path_factory.mktemp("family") / "emoji"
    write_emoji(folder, [], levels=1)
    world = json.loads((folder / "world.json").read_text())
    # Of its two objects one would be alone on a background, and no pair could be drawn there.
    (folder / "world.json").write_text(json.dumps({**world, "held_out": []}))
    # Latents of 16 x 16, or a discriminator would have nothing left to convolve.
    unet = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**unet, "sample_size": 16}))
    save_adapter(Student(ModelSource(folder)).unet, folder / "adapters" / "hyper.safetensors")
    return folder


@pytest.fixture
def student(folder: Path) -> Student:
    """A fresh student."""
    return Student(ModelSource(folder), rank=2)


@pytest.fixture(scope="session")
def examples(folder: Path) -> TrainingScenes:
    """The family's scenes."""
    return TrainingScenes(World.load(folder))


@pytest.fixture(scope="session")
def scenes(examples: TrainingScenes) -> LatentBatches:
    """Random latents with captions of real scenes."""
    rng = np.random.default_rng(0)
    return LatentBatches(examples, rng.standard_normal((16, 12, 16, 16)).astype(np.float16), batch_size=4)
