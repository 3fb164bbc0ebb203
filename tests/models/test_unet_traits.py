"""Traits of UNets, against the numbers of the published architectures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hypersd.models.unet_traits import UNetTraits, architecture_traits, config_traits
from tests import families

SDXL = UNetTraits(channels=4, width=320, text=2048, added=2816, depth=70)
SD15 = UNetTraits(channels=4, width=320, text=768, added=0, depth=16)


@pytest.mark.parametrize(("name", "expected"), [("sdxl", SDXL), ("sd15", SD15)])
def test_published_architectures_have_their_published_layers(root: Path, name: str, expected: UNetTraits) -> None:
    assert architecture_traits(root / "assets" / "architectures" / f"{name}.json") == expected


def test_a_distilled_sdxl_with_fewer_layers_is_told_apart(root: Path, tmp_path: Path) -> None:
    whole = json.loads((root / "assets" / "architectures" / "sdxl.json").read_text())["unet"]
    shortened = {
        "transformer_layers_per_block": [0, 2, [4, 4]],
        "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
        "mid_block_type": None,
    }
    (tmp_path / "config.json").write_text(json.dumps({**whole, **shortened}))
    assert config_traits(tmp_path / "config.json") == replace(SDXL, depth=2 * 2 + 8 + 18 + 4)


@pytest.mark.parametrize("double", [False, True])
def test_the_layers_of_a_network_are_counted_from_its_configuration(tmp_path: Path, *, double: bool) -> None:
    unet = (families.sdxl_pipeline(emoji=False) if double else families.sd_pipeline()).unet
    unet.save_pretrained(tmp_path)
    counted = sum(name.endswith("attn2.to_k.weight") for name, _ in unet.named_parameters())
    assert config_traits(tmp_path / "config.json").depth == counted
