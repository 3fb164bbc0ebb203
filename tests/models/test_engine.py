"""One set of weights: what is shared, what is fused, and that nobody touches the base."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from peft.tuners.tuners_utils import BaseTunerLayer

from hypersd.models import held_unets as sharing
from hypersd.models.downloads import DownloadError
from hypersd.models.engine import Engine
from hypersd.models.loading import Loader
from hypersd.models.specs import Family
from hypersd.models.weight_memory import held_bytes, weight_bytes
from hypersd.models.weights import Weights
from tests import families


def predicted(unet: torch.nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn((1, 12, 4, 4), generator=generator)
    text = torch.randn((1, 24, 64), generator=generator)
    added = {"text_embeds": torch.zeros(1, 32), "time_ids": torch.zeros(1, 6)}
    with torch.inference_mode():
        return unet(noise, 500, text, added_cond_kwargs=added).sample


def test_a_fused_copy_draws_like_the_adapter_and_leaves_the_base_alone(
    emoji: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused, shared = Engine(emoji, families.machine(tmp_path)), Engine(emoji, families.machine(tmp_path))
    base = fused.load().unet
    before = {name: value.clone() for name, value in base.state_dict().items()}
    recipe = emoji.spec("hyper").recipe()
    with fused.use(recipe) as loaded:
        assert loaded.switch_seconds > 0
        assert loaded.unet is not base
        assert not [layer for layer in loaded.unet.modules() if isinstance(layer, BaseTunerLayer)]
        of_fused = predicted(loaded.unet)
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items())
    assert (of_fused - predicted(base)).abs().max() > 1e-3

    monkeypatch.setattr(sharing, "plan", lambda *_: "shared")
    with shared.use(recipe) as loaded:
        assert loaded.unet is shared.load().unet
        assert (predicted(loaded.unet) - of_fused).abs().max() < 1e-4
    with shared.use(emoji.spec("base").recipe()) as loaded:
        assert torch.allclose(predicted(loaded.unet), predicted(base), atol=1e-5)
    with shared.use(emoji.spec("turbo").recipe()) as loaded:
        assert (predicted(loaded.unet) - of_fused).abs().max() > 1e-3


def test_an_adapter_means_what_diffusers_makes_of_it(emoji: Family, tmp_path: Path) -> None:
    assert emoji.folder is not None
    weights = emoji.spec("hyper").recipe().weights
    pipeline = StableDiffusionXLPipeline.from_pretrained(emoji.folder).to(torch.float32)
    pipeline.load_lora_weights(emoji.folder / "adapters", weight_name=Path(str(weights.file)).name)
    with Engine(emoji, families.machine(tmp_path)).use(emoji.spec("hyper").recipe()) as loaded:
        assert (predicted(loaded.unet) - predicted(pipeline.unet)).abs().max() < 1e-4


def test_an_adapter_is_whole_while_another_thread_loads_a_base(emoji: Family, tmp_path: Path) -> None:
    loader = Loader(emoji, families.machine(tmp_path), lambda _: None)
    base, weights, done = loader.base().unet, emoji.spec("hyper").recipe().weights, threading.Event()
    alone = loader.unet(base, weights).state_dict()

    def load() -> None:
        while not done.is_set():
            loader.base()

    loading, interval = threading.Thread(target=load), sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    loading.start()
    try:
        states = [loader.unet(base, weights).state_dict() for _ in range(3)]
    finally:
        done.set()
        loading.join()
        sys.setswitchinterval(interval)
    assert all(torch.equal(state[key], value) for state in states for key, value in alone.items())


def test_models_cost_less_than_a_pipeline_each(emoji: Family, tmp_path: Path) -> None:
    engine = Engine(emoji, families.machine(tmp_path))
    alone = engine.weight_bytes()
    for name in ("hyper", "turbo"):
        with engine.use(emoji.spec(name).recipe()):
            pass
    assert alone < engine.weight_bytes() < alone + 2 * weight_bytes(engine.load().unet)
    unet = engine.load().unet
    assert held_bytes([unet, unet]) == weight_bytes(unet)


def test_the_least_recently_used_goes_when_memory_is_short(
    emoji: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(emoji, families.machine(tmp_path))
    size = weight_bytes(engine.load().unet)
    monkeypatch.setattr(sharing, "_CPU_BUDGET", 2 * size)
    monkeypatch.setattr(sharing, "plan", lambda *_: "fused")
    for name in ("hyper", "turbo", "hyper"):
        with engine.use(emoji.spec(name).recipe()):
            pass
        assert (
            engine.weight_bytes()
            <= held_bytes([*(part for part in engine.load().components.values() if isinstance(part, torch.nn.Module))])
            + size
        )


def test_no_more_unets_are_held_than_a_machine_says(emoji: Family, tmp_path: Path) -> None:
    engine = Engine(emoji, replace(families.machine(tmp_path), most_unets=1))
    recipes = [emoji.spec(name).recipe() for name in ("hyper", "turbo", "hyper")]
    drawn = []
    for recipe in recipes:
        with engine.use(recipe) as loaded:
            drawn.append(predicted(loaded.unet))
    assert [engine.holds(recipe.weights) for recipe in recipes] == [True, False, True]
    assert torch.equal(drawn[0], drawn[2]), "put together again as it was"
    assert not torch.equal(drawn[0], drawn[1])


def test_a_prompt_is_encoded_once_and_as_the_pipeline_does(emoji: Family, tmp_path: Path) -> None:
    assert emoji.folder is not None
    engine = Engine(emoji, families.machine(tmp_path))
    embeds = engine.prompts.encode("a big cat")
    assert engine.prompts.encode("a big cat") is embeds
    pipeline = StableDiffusionXLPipeline.from_pretrained(emoji.folder).to(torch.float32)
    with torch.inference_mode():
        hidden, empty, pooled, empty_pooled = pipeline.encode_prompt("a big cat", device="cpu")
    assert torch.allclose(embeds.hidden, torch.cat([empty, hidden]), atol=1e-5)
    assert embeds.pooled is not None
    assert torch.allclose(embeds.pooled, torch.cat([empty_pooled, pooled]), atol=1e-5)


def test_the_state_tells_how_it_went(emoji: Family, tmp_path: Path) -> None:
    engine = Engine(emoji, families.machine(tmp_path))
    assert engine.state == "idle"
    engine.load()
    assert engine.state == "ready"
    broken = Engine(replace(emoji, folder=tmp_path), families.machine(tmp_path))
    with pytest.raises(OSError, match="model_index"):
        broken.load()
    assert broken.state.startswith("failed: ")


def test_a_damaged_adapter_is_an_explained_error_and_never_unpickled(emoji: Family, tmp_path: Path) -> None:
    engine = Engine(emoji, families.machine(tmp_path))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x80\x04 not what it says")
    recipe = replace(emoji.spec("hyper").recipe(), weights=Weights(kind="lora", file=str(damaged)))
    with pytest.raises(OSError, match="damaged or incomplete"), engine.use(recipe):
        pass
    with engine.use(emoji.spec("base").recipe()):
        pass


def test_an_unfinished_download_is_explained(sdxl: Family, tmp_path: Path) -> None:
    engine = Engine(sdxl, families.machine(tmp_path))
    with pytest.raises(DownloadError, match="not downloaded and the Hub cannot be reached"):
        engine.load()
    assert engine.state.startswith("failed: stabilityai/stable-diffusion-xl-base-1.0 is not downloaded")
