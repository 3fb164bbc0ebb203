"""A tiny family with a CLIP model, and votes on pictures of which the brighter one is preferred."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preference, Preferences
from hypersd.feedback.reward.bradley_terry import RewardConfig
from hypersd.feedback.reward.train import RewardTask
from hypersd.utils.estimates import wilson
from tests.families import write_clip, write_emoji


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A family's folder with an adapter of two files, and a CLIP model."""
    folder = tmp_path_factory.mktemp("family") / "emoji"
    write_emoji(folder, ["hyper", "hyper-1-step"], levels=1)
    write_clip(folder / "clip")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    """A folder of pictures."""
    return ImageStore(str(tmp_path_factory.mktemp("pictures")))


def noisy(brightness: int, seed: int) -> Image.Image:
    """A noisy picture of a brightness from 0 to 255."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(brightness, 30, (32, 32, 3)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def preferences(pictures: ImageStore) -> Preferences:
    """A hundred choices on forty prompts; who chose wanted the brighter picture, and said so nine times in ten."""
    rng = random.Random(0)
    examples: list[Preference] = []
    for number in range(240):
        shades = rng.sample(range(40, 220, 4), 2)
        names = tuple(pictures.put(noisy(shade, 2 * number + side)) for side, shade in enumerate(shades))
        brighter = float(shades[0] > shades[1])
        examples.append(
            Preference(
                prompt=f"a thing number {number % 40}",
                pictures=(names[0], names[1]),
                target=brighter if rng.random() < 0.9 else 0.5,
                both_bad=max(shades) < 70,
                voter=f"voter-{number % 7}",
                models=("toy/a@1", "toy/b@1") if number % 2 else ("toy/b@1", "toy/a@1"),
            )
        )
    return Preferences(
        examples=tuple(examples), kind="simulated", self_agreement=wilson(9, 10), agreement=wilson(8, 10), cast=240
    )


@pytest.fixture(scope="session")
def reward(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, preferences: Preferences, pictures: ImageStore
) -> Path:
    """A reward model that likes bright pictures."""
    out = tmp_path_factory.mktemp("reward")
    RewardTask(
        preferences=preferences,
        pictures=pictures,
        backbone=folder / "clip",
        out=out,
        config=RewardConfig(steps=100),
        curve=False,
    ).run()
    return out
