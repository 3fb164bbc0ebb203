"""Adapter files that are something else, or only partly what is wanted: one sentence before anything is loaded."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya
from safetensors.torch import save_file
from torch import Tensor

from hypersd.feedback.tuning.tune import groups_of
from hypersd.models.adapter_file import AdapterError, inspect
from hypersd.models.adapter_fit import fit_file
from hypersd.models.engine import Engine
from hypersd.models.registered import RegisteredModel, register
from hypersd.models.specs import Family
from hypersd.models.unet_weights import load_lora
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run
from hypersd.training.adapters import add_adapter, fuse_adapter, load_adapter
from tests import families

TO_K = "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"


def kohya(unet: Any, seed: int = 1) -> dict[str, Tensor]:
    state = {f"unet.{key}": value for key, value in families.lora_state(unet, seed).items()}
    return {key: value.contiguous() for key, value in convert_state_dict_to_kohya(state).items()}


def sized(*, width: int, prefix: str = "lora_unet_") -> dict[str, Tensor]:
    """A LoRA for a UNet that attends to text of this width."""
    return {
        f"{prefix}{TO_K}.lora_down.weight": torch.ones(4, width),
        f"{prefix}{TO_K}.lora_up.weight": torch.ones(64, 4),
    }


STATES: Mapping[str, tuple[dict[str, Tensor], str]] = {
    "loha": ({f"lora_unet_{TO_K}.hada_w1_a": torch.ones(4, 4)}, "is a LoHa"),
    "lokr": ({f"lora_unet_{TO_K}.lokr_w1": torch.ones(4, 4)}, "is a LoKr"),
    "dora": (
        {**sized(width=64), f"lora_unet_{TO_K}.dora_scale": torch.ones(64, 1)},
        "is a DoRA",
    ),
    "peft dora": ({"unet.conv_in.lora_magnitude_vector": torch.ones(32)}, "is a DoRA"),
    "ia3": ({"base_model.model.down_blocks.0.to_k.ia3_l": torch.ones(4, 1)}, "is an (IA)³"),
    "ia3 of lycoris": ({f"lora_unet_{TO_K}.on_input": torch.ones(1)}, "is an (IA)³"),
    "oft": ({f"lora_unet_{TO_K}.oft_blocks": torch.ones(2, 4, 4)}, "is an OFT"),
    "oft of kohya": ({f"oft_unet_{TO_K}.oft_blocks": torch.ones(2, 4, 4)}, "is an OFT"),
    "full": ({f"lora_unet_{TO_K}.diff": torch.ones(64, 64)}, "LyCORIS"),
    "tucker": ({**sized(width=64), f"lora_unet_{TO_K}.lora_mid.weight": torch.ones(4, 4, 3, 3)}, "Tucker"),
    "flux": ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": torch.ones(4, 4)}, "Flux"),
    "flux of kohya": ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": torch.ones(4, 4)}, "Flux"),
    "embedding": ({"emb_params": torch.ones(2, 8)}, "textual-inversion"),
    "embedding for sdxl": ({"clip_l": torch.ones(2, 8), "clip_g": torch.ones(2, 8)}, "textual-inversion"),
    "checkpoint": ({"model.diffusion_model.input_blocks.0.0.weight": torch.ones(4)}, "whole checkpoint"),
    "unet": ({"conv_in.weight": torch.ones(4), "conv_in.bias": torch.ones(4)}, "whole UNet"),
    "peft": ({"base_model.model.conv_in.lora_A.weight": torch.ones(4, 4)}, "PEFT's own format"),
    "nothing": ({}, "nothing in it"),
    "other": ({"some.weight": torch.ones(4)}, "no LoRA in it"),
}


@pytest.mark.parametrize("kind", STATES)
def test_another_kind_of_adapter_is_named(tmp_path: Path, kind: str) -> None:
    state, said = STATES[kind]
    file = tmp_path / "mine.safetensors"
    save_file(state, file)
    refused(file, said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git-lfs pointer"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"<!DOCTYPE html><html>not found", "web page"),
        (b'{"error": "not found"}', "JSON"),
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
        (bytes(range(256)), "damaged or incomplete"),
    ],
)
def test_what_is_no_safetensors_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(content)
    refused(file, said)


def test_a_file_of_torch_save_is_not_opened(tmp_path: Path) -> None:
    torch.save({"unet.conv_in.lora_A.weight": torch.ones(4)}, tmp_path / "x.bin")
    assert zipfile.is_zipfile(tmp_path / "x.bin")
    refused(tmp_path / "x.bin", "pickle")


@pytest.mark.parametrize("kept", [0.0, 4, 40, 0.5, 0.99])
def test_a_truncated_file_is_not_to_be_deleted(tmp_path: Path, kept: float) -> None:
    file = tmp_path / "mine.safetensors"
    save_file(sized(width=64), file)
    data = file.read_bytes()
    file.write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    refused(file, "download it or save it again")


def test_in_the_hub_s_cache_it_may_be_deleted(tmp_path: Path) -> None:
    file = families.hub_file(tmp_path, "someone/adapter", "adapter.safetensors")
    file.write_bytes(b"half of it")
    with pytest.raises(AdapterError, match="damaged or incomplete; delete it and try again"):
        inspect(file)


def test_a_folder_and_nothing_are_no_adapters(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="is a folder"):
        inspect(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no adapter"):
        inspect(tmp_path / "none.safetensors")


def refused(file: Path, said: str) -> None:
    """See that a file is refused in one sentence that names it."""
    with pytest.raises(AdapterError) as caught:
        inspect(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert said in message
    assert "; " in message, "it says what to do"
    assert "\n" not in message
    assert "delete" not in message
    assert len(message) < 400


@pytest.mark.parametrize(("width", "name"), [(768, "SD 1.x"), (1024, "SD 2.x"), (2048, "SDXL")])
def test_an_adapter_for_another_architecture_is_named(emoji: Family, tmp_path: Path, width: int, name: str) -> None:
    file = tmp_path / "other.safetensors"
    save_file(sized(width=width), file)
    assert inspect(file).architecture == name
    with pytest.raises(AdapterError, match=f"was made for {name}, and this is .*; use an adapter"):
        fit_file(file, unet_folder(emoji))


def unet_folder(family: Family) -> Path:
    return Path(str(family.folder)) / "unet"


def test_another_shape_and_another_network_are_refused(emoji: Family, tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file(sized(width=67), file)
    with pytest.raises(AdapterError, match=r"1 of its 1 layers have another shape .*attn2\.to_k"):
        fit_file(file, unet_folder(emoji))
    save_file({"unet.nowhere.lora_A.weight": torch.ones(4, 4), "unet.nowhere.lora_B.weight": torch.ones(4, 4)}, file)
    with pytest.raises(AdapterError, match="fits nowhere: none of its 1 layers"):
        fit_file(file, unet_folder(emoji))
    save_file(sized(width=64, prefix="lora_te1_"), file)
    with pytest.raises(AdapterError, match="fits nowhere"):
        fit_file(file, unet_folder(emoji))


def partial(file: Path) -> None:
    """Write an adapter of which two text encoder layers, a foreign one and half a layer cannot be applied."""
    unet = families.sdxl_pipeline(emoji=True).unet
    state = kohya(unet)
    for layer in (0, 1):
        name = f"lora_te1_text_model_encoder_layers_{layer}_self_attn_q_proj"
        state |= {f"{name}.lora_down.weight": torch.ones(4, 32), f"{name}.lora_up.weight": torch.ones(32, 4)}
    state["lora_unet_half_a_layer.lora_down.weight"] = torch.ones(4, 4)
    state["extra.weight"] = torch.ones(4)
    save_file(state, file)


def test_what_is_not_applied_is_counted_and_named(emoji: Family, tmp_path: Path) -> None:
    partial(tmp_path / "partial.safetensors")
    value = fit_file(tmp_path / "partial.safetensors", unet_folder(emoji))
    assert (len(value.paths), value.total) == (48, 52)
    assert value.warning.startswith("partial.safetensors: 48 of 52 layers are applied; not applied: 2 of the text enc")
    assert "half_a_layer" in value.warning
    assert "extra.weight" in value.warning


def test_what_is_applied_is_what_the_library_applies(tmp_path: Path) -> None:
    """Layers, factors and alphas as diffusers' own pipeline loads them, in each format."""
    pipelines = families.sdxl_pipeline(emoji=True), families.sdxl_pipeline(emoji=True)
    state = kohya(pipelines[0].unet)
    state |= {key: value / 3 for key, value in state.items() if key.endswith(".alpha")}
    save_file(state, tmp_path / "kohya.safetensors")
    layers = families.lora_state(pipelines[0].unet, 2)
    StableDiffusionXLPipeline.save_lora_weights(tmp_path, unet_lora_layers=layers, weight_name="plain.safetensors")
    for name in ("kohya", "plain"):
        file = tmp_path / f"{name}.safetensors"
        assert not load_lora(pipelines[0].unet, file, name).warning
        pipelines[1].load_lora_weights(file, adapter_name=name)
        ours, plain = (pipeline.unet.state_dict() for pipeline in pipelines)
        assert ours.keys() == plain.keys()
        assert all(torch.equal(ours[key], plain[key]) for key in plain)
        scales = [
            {path: dict(layer.scaling) for path, layer in pipeline.unet.named_modules() if hasattr(layer, "scaling")}
            for pipeline in pipelines
        ]
        assert scales[0] == scales[1]


def test_alphas_of_diffusers_format_scale_their_layers(tmp_path: Path) -> None:
    unet: Any = families.sdxl_pipeline(emoji=True).unet
    state = {f"unet.{key}": value for key, value in families.lora_state(unet, 2).items()}
    path = next(key for key in state).rpartition(".lora_")[0]
    save_file(state | {f"{path}.alpha": torch.tensor(1.0)}, tmp_path / "alphas.safetensors")
    load_lora(unet, tmp_path / "alphas.safetensors", "a")
    scales = {name: layer.scaling["a"] for name, layer in unet.named_modules() if hasattr(layer, "scaling")}
    assert scales.pop(path.removeprefix("unet.")) == 1 / 4
    assert set(scales.values()) == {1.0}


def test_a_run_says_what_of_its_adapter_is_not_applied(emoji: Family, tmp_path: Path) -> None:
    partial(tmp_path / "partial.safetensors")
    other = families.with_weights(emoji, "hyper", tmp_path / "partial.safetensors")
    ends = drawn(other, tmp_path)
    assert ends["hyper"].image is not None
    assert any("48 of 52 layers" in warning for warning in ends["hyper"].warnings)
    assert ends["turbo"].warnings == ()


def test_a_run_with_another_kind_of_adapter_fails_in_one_sentence(emoji: Family, tmp_path: Path) -> None:
    save_file(STATES["loha"][0], tmp_path / "loha.safetensors")
    ends = drawn(families.with_weights(emoji, "hyper", tmp_path / "loha.safetensors"), tmp_path)
    assert ends["hyper"].image is None
    assert "is a LoHa" in str(ends["hyper"].error)
    assert ends["turbo"].error is None


def drawn(family: Family, cache: Path) -> dict[str, Generation]:
    asked = Request(prompt="a cat", seed=1, family="emoji", runs=(Run(model="hyper", steps=2), Run(model="turbo")))
    events = compare(asked, Engine(family, families.machine(cache)))
    return {event.model: event for event in events if isinstance(event, Generation)}


def test_every_way_in_refuses_it(emoji: Family, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    save_file(STATES["loha"][0], file)
    unet: Any = families.sdxl_pipeline(emoji=True).unet
    registered_model = RegisteredModel(
        name="mine", title="Mine", family="emoji", parent="hyper", adapters={"2": "mine.safetensors"}, lineage={}
    )
    with pytest.raises(ValueError, match="is a LoHa"):
        register(registered_model, {"mine.safetensors": file}, tmp_path / "contestants")
    assert not (tmp_path / "contestants" / "mine").exists()
    with pytest.raises(ValueError, match="is a LoHa"):
        groups_of(emoji, "hyper", file)
    with pytest.raises(ValueError, match="is a LoHa"):
        fuse_adapter(unet, file)
    add_adapter(unet, 4)
    with pytest.raises(ValueError, match="is a LoHa"):
        load_adapter(unet, file)


def test_a_damaged_header_of_the_library_s_own_is_named(emoji: Family, tmp_path: Path) -> None:
    unet = families.sdxl_pipeline(emoji=True).unet
    state = {f"unet.{key}": value for key, value in families.lora_state(unet, 2).items()}
    file = tmp_path / "mine.safetensors"
    for text in ("{", json.dumps([1])):
        save_file(state, file, metadata={"lora_adapter_metadata": text})
        with pytest.raises(AdapterError, match="damaged header"):
            load_lora(unet, file, "a")
