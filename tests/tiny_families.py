"""Tiny, random families as fixtures, for the tests of the models and of sampling."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypersd.models.families.embedded import EMOJI
from hypersd.models.families.sd15 import SD15
from hypersd.models.families.sd21 import SD21
from hypersd.models.families.sdxl import SDXL
from hypersd.models.specs import Family
from tests import families


@pytest.fixture(scope="session")
def emoji(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """The embedded family, tiny and random, with all its adapters."""
    return families.emoji_family(EMOJI, tmp_path_factory.mktemp("emoji"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hub cache that the published families are put into."""
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="session")
def sdxl(cache: Path) -> Family:
    """The published SDXL family, tiny and random, in the cache."""
    return families.hub_cache(SDXL, cache)


@pytest.fixture(scope="session")
def sd15(cache: Path) -> Family:
    """The published SD1.5 family, tiny and random, in the cache."""
    return families.hub_cache(SD15, cache)


@pytest.fixture(scope="session")
def sd21(cache: Path) -> Family:
    """The published family of SD-Turbo, tiny and random, in the cache."""
    return families.hub_cache(SD21, cache)


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    """A Hub cache with a sparse file of SD1.5's size in the place of its UNet."""
    folder = tmp_path / f"models--{str(SD15.repository).replace('/', '--')}"
    unet = folder / "snapshots" / "0" / "unet"
    unet.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0")
    with (unet / "diffusion_pytorch_model.fp16.safetensors").open("wb") as file:
        file.truncate(1_720_000_000)
    return tmp_path
