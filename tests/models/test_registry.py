"""Availability of models, and the reasons where they are not available."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hypersd.models.engine import Engine
from hypersd.models.families.embedded import EMOJI
from hypersd.models.families.sdxl import SDXL
from hypersd.models.registry import availability, family, living_in, tuning_availability
from hypersd.models.specs import Family
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run, SamplingParameters
from tests.families import machine, write_emoji
from tests.models.hub import serve


def test_the_embedded_family_is_available_without_a_network(emoji: Family, tmp_path: Path) -> None:
    here = machine(tmp_path)
    for spec in emoji.specs:
        availability_ = availability(emoji, spec, here)
        assert (availability_.available, availability_.reason) == (True, "")


def test_a_missing_adapter_is_named(emoji: Family, tmp_path: Path) -> None:
    spec = emoji.spec("hyper")
    other = replace(emoji, folder=tmp_path)
    availability_ = availability(other, spec, machine(tmp_path))
    assert not availability_.available
    assert str(tmp_path) in availability_.reason
    (tmp_path / "model_index.json").write_text("{}")
    availability_ = availability(other, spec, machine(tmp_path))
    assert not availability_.available
    assert str(spec.recipe().weights.file) in availability_.reason


def test_a_family_has_the_methods_that_were_trained_in_its_folder(tmp_path: Path) -> None:
    trained = {spec.name: spec for spec in EMOJI.trained_later}
    files = {Path(str(recipe.weights.file)).stem for spec in trained.values() for recipe in spec.recipes}
    write_emoji(tmp_path, files)
    (tmp_path / "adapters" / "tcd.safetensors").unlink()
    home = living_in(tmp_path, EMOJI)
    more = [spec.name for spec in home.specs[len(EMOJI.specs) :]]
    assert more == [name for name in trained if name != "tcd"]
    shipped = [spec.name for spec in living_in(None, EMOJI).specs]
    assert shipped == [*(spec.name for spec in EMOJI.specs), "hyper-unified"]
    runs = tuple(Run(model=name, steps=recipe.steps) for name in more for recipe in trained[name].recipes)
    size = SamplingParameters(size=(64, 64))
    request = Request(prompt="a cat", seed=0, family="emoji", runs=runs, parameters=size)
    drawn = [event for event in compare(request, Engine(home, machine(tmp_path))) if isinstance(event, Generation)]
    assert len(drawn) == len(runs)
    assert {generation.error for generation in drawn} == {None}


def test_an_adapter_file_without_a_lora_is_named(tmp_path: Path) -> None:
    write_emoji(tmp_path, ["hyper", "hyper-1-step"])
    mine, here = replace(EMOJI, folder=tmp_path), machine(tmp_path)
    save_file({"other.weight": torch.zeros(2, 2)}, tmp_path / "adapters" / "hyper-1-step.safetensors")
    assert availability(mine, mine.spec("hyper"), here).available
    assert "hyper-1-step.safetensors has no LoRA in it" in availability(mine, mine.spec("hyper"), here, 1).reason
    save_file({"x.hada_w1_a": torch.zeros(2, 2)}, tmp_path / "adapters" / "hyper.safetensors")
    assert "hyper.safetensors is a LoHa" in availability(mine, mine.spec("hyper"), here).reason


def test_published_weights_need_a_gpu_or_a_download(tmp_path: Path) -> None:
    spec = SDXL.spec("hyper")
    assert availability(SDXL, spec, machine(tmp_path)).reason == ("needs about 22 GB of free memory; 1 GB are free")
    gpu = machine(tmp_path, device="cuda", memory_gb=24.0)
    assert availability(SDXL, spec, gpu).reason == "not downloaded and no network"
    with serve(tmp_path) as hub:
        online = replace(gpu, offline=False, hub=hub.address)
        assert availability(SDXL, spec, online).available
        assert not availability(SDXL, spec, replace(online, offline=True)).available, "downloads are not allowed"
        small = replace(online, memory_gb=6.0)
        assert availability(SDXL, spec, small).reason == "needs about 11 GB of GPU memory"
    with serve(tmp_path) as gone:
        pass
    unplugged = replace(gpu, offline=False, hub=gone.address)
    assert availability(SDXL, spec, unplugged).reason == "not downloaded and no network"


def test_a_unet_of_its_own_needs_memory_beside_the_base(tmp_path: Path, sdxl: Family, cache: Path) -> None:
    with serve(tmp_path) as hub:
        gpu = machine(tmp_path, device="cuda", memory_gb=12.0, offline=False, hub=hub.address)
        assert availability(SDXL, SDXL.spec("hyper"), gpu).available
        assert availability(SDXL, SDXL.spec("turbo"), gpu).reason == "needs about 16 GB of GPU memory"
        assert availability(SDXL, SDXL.spec("turbo"), replace(gpu, memory_gb=16.0)).available
    assert availability(sdxl, sdxl.spec("turbo"), machine(cache)).available, "what is downloaded is small"


def test_what_stands_in_the_cache_is_available(sdxl: Family, sd15: Family, cache: Path) -> None:
    here = machine(cache)
    for each in (sdxl, sd15):
        assert {spec.name: availability(each, spec, here).reason for spec in each.specs} == {
            spec.name: "" for spec in each.specs
        }


def test_a_cpu_draws_what_its_memory_holds(tmp_path: Path) -> None:
    spec = SDXL.spec("hyper")
    with serve(tmp_path) as hub:
        cpu = machine(tmp_path, memory_gb=12.0, bfloat16=True, offline=False, hub=hub.address)
        assert availability(SDXL, spec, cpu).available
        assert tuning_availability(SDXL, spec, cpu).reason == "needs about 22 GB of free memory; 12 GB are free"
        plain = replace(cpu, bfloat16=False)
        assert availability(SDXL, spec, plain).reason == "needs about 22 GB of free memory; 12 GB are free"
        assert availability(SDXL, spec, replace(plain, memory_gb=24.0)).available


def test_the_embedded_family_can_live_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERSD_EMOJI", str(tmp_path))
    assert family("emoji").folder == tmp_path
    assert family("sdxl").folder is None, "it lives on the Hub"
    monkeypatch.setenv("HYPERSD_EMOJI", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"HYPERSD_EMOJI is .*nowhere.* not a folder"):
        family("emoji")
