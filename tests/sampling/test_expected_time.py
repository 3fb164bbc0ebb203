"""Expected time of a request on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hypersd.models.blueprint import Blueprint
from hypersd.models.registry import FAMILIES
from hypersd.models.specs import Family
from hypersd.sampling.expected_time import duration, expected_seconds, expected_time
from hypersd.sampling.request import Request, Run
from tests import families


@pytest.mark.parametrize("name", ["sd15", "sdxl"])
def test_a_family_states_its_networks_numbers_of_operations(name: str) -> None:
    pipeline = Blueprint.of_family(name, plain_attention=True).pipeline(torch.float32)
    unet, side = pipeline.unet, pipeline.unet.config["sample_size"]
    added = {"text_embeds": torch.zeros(1, 1280), "time_ids": torch.zeros(1, 6)} if name == "sdxl" else None
    with torch.device("meta"), torch.no_grad():
        latents, hidden = torch.zeros(1, 4, side, side), torch.zeros(1, 77, unet.config["cross_attention_dim"])
        given = {key: value.to("meta") for key, value in added.items()} if added else None
        with FlopCounterMode(display=False) as call:
            unet(latents, torch.zeros(1), hidden, added_cond_kwargs=given)
        with FlopCounterMode(display=False) as decoding:
            pipeline.vae.decode(latents)
    family = FAMILIES[name]
    assert family.unet_tflop == pytest.approx(call.get_total_flops() / 1e12, rel=0.01)
    assert family.decode_tflop == pytest.approx(decoding.get_total_flops() / 1e12, rel=0.01)


def test_more_steps_and_pictures_take_longer(downloaded: Path) -> None:
    cpu, family = families.machine(downloaded, memory_gb=16.0), FAMILIES["sd15"]

    def seconds(steps: int, count: int = 1) -> float:
        request = Request(
            prompt="a cat", seed=0, family="sd15", runs=(Run(model="hyper-unified", steps=steps),), count=count
        )
        return expected_seconds(family, request, cpu)

    assert 0 < seconds(1) < seconds(4) < 4 * seconds(1), "a picture is decoded once, at any number of steps"
    assert seconds(1, count=2) == pytest.approx(2 * seconds(1))
    request = Request(prompt="a cat", seed=0, family="sd15", runs=(Run(model="hyper-unified", steps=1),))
    assert expected_time(family, request, cpu).endswith("on the CPU.")
    gpu = families.machine(downloaded, device="cuda", precision="float16", memory_gb=16.0)
    assert expected_time(family, request, gpu) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (1.4, "1 second"),
        (1.6, "2 seconds"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (600, "10 minutes"),
    ],
)
def test_one_second_is_not_several(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_small_family_takes_no_time_to_speak_of(emoji: Family, cache: Path) -> None:
    request = Request(prompt="a cat", seed=0, family="emoji", runs=(Run(model="hyper", steps=1),))
    assert expected_seconds(emoji, request, families.machine(cache, memory_gb=16.0)) == 0
