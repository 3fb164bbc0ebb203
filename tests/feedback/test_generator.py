"""The arena's generator, on a tiny random family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hypersd.arena.service.image_generator import GenerationError, GenerationInterrupted
from hypersd.arena.votes.battle import Contestant
from hypersd.feedback.generator import EngineGenerator, contestants, weights_version
from hypersd.models.engine import Engine
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES
from tests.families import emoji_family


@pytest.fixture(scope="module")
def image_generator(tmp_path_factory: pytest.TempPathFactory) -> EngineGenerator:
    family = emoji_family(FAMILIES["emoji"], tmp_path_factory.mktemp("family") / "emoji-xl")
    return EngineGenerator(Engine(family, Machine.here()))


def test_contestants_are_every_model_at_every_number_of_steps(image_generator: EngineGenerator) -> None:
    family = image_generator.engine.family
    known = contestants(family, image_generator.engine.machine)
    assert len(known) == sum(len(spec.recipes) for spec in family.specs)
    assert Contestant("emoji", "hyper", 4) in known


def test_both_pictures_come_from_one_seed_and_can_be_drawn_again(image_generator: EngineGenerator) -> None:
    pair = (Contestant("emoji", "hyper", 4), Contestant("emoji", "turbo", 1))
    once, again = (image_generator("a cat", 7, pair) for _ in range(2))
    assert [one.calls for one in once] == [4, 1]
    for image, other in zip(once, again, strict=True):
        assert np.array_equal(np.asarray(image.image), np.asarray(other.image))
        assert image.seconds > 0
    assert once[0].version != once[1].version


def test_versions_change_with_the_weights(image_generator: EngineGenerator, tmp_path: Path) -> None:
    family = image_generator.engine.family
    weights = family.spec("hyper").recipe(4).weights
    version = weights_version(family, weights)
    assert version == weights_version(family, weights)
    assert version != weights_version(family, family.spec("base").recipe().weights)
    hub = FAMILIES["sdxl"]
    assert weights_version(hub, hub.spec("hyper").recipe(4).weights).startswith("ByteDance/Hyper-SD/")


def test_who_fails_is_named(image_generator: EngineGenerator) -> None:
    (Path(str(image_generator.engine.family.folder)) / "adapters" / "turbo.safetensors").write_bytes(b"broken")
    broken = EngineGenerator(Engine(image_generator.engine.family, image_generator.engine.machine))
    with pytest.raises(GenerationError, match="damaged") as raised:
        broken("a cat", 7, (Contestant("emoji", "base", 25), Contestant("emoji", "turbo", 1)))
    assert raised.value.contestant.model == "turbo"


def test_a_stopped_painter_makes_no_half_pair(image_generator: EngineGenerator) -> None:
    stopped = EngineGenerator(image_generator.engine, cancelled=lambda: True)
    with pytest.raises(GenerationInterrupted):
        stopped("a cat", 7, (Contestant("emoji", "base", 25), Contestant("emoji", "hyper", 4)))
