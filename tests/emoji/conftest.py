"""One world, one judge and one set of drawn scenes for all tests of this folder: the templates take a while."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hypersd.emoji.sprite_judge import SpriteJudge
from hypersd.emoji.world import Pixels, Scene, World, render, sample_scene


@pytest.fixture(scope="session")
def world(root: Path) -> World:
    return World.load(root / "assets" / "emoji-xl")


@pytest.fixture(scope="session")
def judge(world: World) -> SpriteJudge:
    return SpriteJudge(world)


@pytest.fixture(scope="session")
def scenes(world: World) -> list[Scene]:
    """100 scenes, half of them of combinations that are held out."""
    rng = np.random.default_rng(2024)
    return [sample_scene(world, rng, held_out=bool(number % 2)) for number in range(100)]


@pytest.fixture(scope="session")
def pictures(world: World, scenes: list[Scene]) -> list[Pixels]:
    return [render(world, scene) for scene in scenes]
