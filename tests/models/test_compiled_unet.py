"""UNets that OpenVINO runs: the pictures of PyTorch, from graphs that are converted once."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from hypersd.models import graph_cache, machine
from hypersd.models import held_unets as sharing
from hypersd.models.compiled_unet import CompiledUNet
from hypersd.models.engine import Engine
from hypersd.models.graph_cache import GraphCache
from hypersd.models.held_unets import HeldUNets
from hypersd.models.loading import Loader
from hypersd.models.machine import Machine
from hypersd.models.registry import BASE
from hypersd.models.specs import Family
from hypersd.models.unet_graph import GRAPH, int8, read
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Control, Generation, Request, Run, SamplingParameters
from hypersd.utils.environment import Backend
from tests import families

INT8_DISTANCE = 8.0
"""Mean distance of two pictures, of 255, that int8 may cause with random weights, which amplify it."""


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all tests' graphs, so that each is converted once."""
    return tmp_path_factory.mktemp("graphs")


def engine(family: Family, graphs: Path, backend: Backend = "openvino") -> Engine:
    return Engine(family, families.machine(graphs, graphs=graphs).with_backend(backend))


def request(model: str, steps: int, **changed: object) -> Request:
    asked = Request(prompt="a big cat", seed=3, family="emoji", runs=(Run(model=model, steps=steps),))
    return replace(asked, **changed)


def drawn(asked: Request, engine: Engine) -> Generation:
    (generation,) = (event for event in compare(asked, engine) if isinstance(event, Generation))
    assert generation.error is None
    return generation


def distance(first: Generation, second: Generation) -> np.ndarray:
    pictures = (np.asarray(each.image, dtype=int) for each in (first, second))
    return np.abs(np.subtract(*pictures))


@pytest.fixture(scope="module")
def torch_engine(emoji: Family, graphs: Path) -> Engine:
    return engine(emoji, graphs, "torch")


@pytest.fixture(scope="module")
def compiling(emoji: Family, graphs: Path) -> Engine:
    return engine(emoji, graphs)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [("hyper", SamplingParameters()), ("base", SamplingParameters(guidance_scale=5, size=(64, 32)))],
)
def test_a_compiled_unet_draws_the_picture_of_pytorch(
    torch_engine: Engine, compiling: Engine, model: str, parameters: SamplingParameters
) -> None:
    """Without and with guidance, for an adapter and the base, in another size too."""
    asked = request(model, 2, parameters=parameters)
    compiled, eager = drawn(asked, compiling), drawn(asked, torch_engine)
    assert (compiled.backend, eager.backend) == ("openvino", "torch")
    assert distance(compiled, eager).max() <= 1
    assert compiled.warnings == eager.warnings


def test_sd15_s_unet_is_compiled_in_int8(sd15: Family, cache: Path, graphs: Path) -> None:
    asked = request("hyper-unified", 1, family="sd15", tiny_decoder=True)
    here = families.machine(cache, graphs=graphs)
    eager, compiled = (drawn(asked, Engine(sd15, here.with_backend(each))) for each in ("torch", "openvino-int8"))
    assert compiled.backend == "openvino-int8"
    assert 0 < distance(compiled, eager).mean() < INT8_DISTANCE


def test_int8_weights_are_within_half_a_step() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    weight[1] = 0
    whole, scale = int8(weight)
    assert (whole.dtype, scale.shape) == (np.int8, (3, 1, 1))
    assert np.abs(whole).max() == 127
    assert (np.abs(whole * scale - weight) <= scale / 2 + 1e-7).all()


def test_the_second_start_reads_the_graph_and_changed_weights_have_another(
    emoji: Family, compiling: Engine, graphs: Path, tmp_path: Path
) -> None:
    asked = request("hyper", 1)
    first = drawn(asked, compiling)
    written = {file: file.stat().st_mtime_ns for file in graphs.rglob("*.bin")}
    assert not distance(first, drawn(asked, engine(emoji, graphs))).any()
    assert {file: file.stat().st_mtime_ns for file in graphs.rglob("*.bin")} == written

    changed = families.emoji_family(emoji, tmp_path)
    file = tmp_path / str(changed.spec("hyper").recipe(1).weights.file)
    save_file({key: 3 * value for key, value in load_file(file).items()}, file)
    compiled, eager = (drawn(asked, engine(changed, graphs, backend)) for backend in ("openvino", "torch"))
    assert distance(compiled, eager).max() <= 1
    assert distance(compiled, first).max() > 1


def test_it_is_said_once_that_a_unet_is_compiled(emoji: Family, graphs: Path) -> None:
    said: list[str] = []
    loader = Loader(emoji, families.machine(graphs, graphs=graphs).with_backend("openvino"), said.append)
    unets = HeldUNets(loader.base().unet, loader, set, lambda _weights: "0" * 64)
    assert unets.compiled(BASE) is unets.compiled(BASE)
    assert said.count("compiling") == 1


def test_a_graph_is_written_whole_and_anew_if_it_is_damaged(
    compiling: Engine, graphs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(request("hyper", 1), compiling)
    stored = next(graphs.glob("*/unet.bin")).parent
    cache = GraphCache(tmp_path / "cache")
    copies: list[Path] = []

    def write(folder: Path) -> None:
        copies.append(shutil.copytree(stored, folder, dirs_exist_ok=True))

    def place(name: str) -> Path:
        assert cache.graph({"name": name}, read, write) is not None
        return max((tmp_path / "cache").glob(f"*/{GRAPH}"), key=lambda file: file.stat().st_mtime_ns).parent

    first = place("first")
    assert place("first") == first
    assert len(copies) == 1
    os.truncate(first / "unet.bin", 1000)
    assert place("first") == first
    assert len(copies) == 2

    def failing(folder: Path) -> None:
        (folder / GRAPH).write_text("<half")
        raise OSError("the disk is full")

    assert cache.graph({"name": "second"}, read, failing) is None
    monkeypatch.setattr(graph_cache, "LIMIT", (stored / "unet.bin").stat().st_size)
    assert place("third") != first
    assert [file.parent for file in (tmp_path / "cache").glob(f"*/{GRAPH}")] == [place("third")]


@pytest.fixture
def control(emoji: Family) -> Control:
    mode = emoji.controlnets[0].modes[0]
    return Control(mode=mode, image=Image.new("RGB", (32, 32)))


def test_what_a_compiled_unet_cannot_do_is_drawn_by_pytorch_and_said(
    compiling: Engine, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = drawn(request("hyper", 1, control=control), compiling)
    weaker = drawn(request("hyper", 1, parameters=SamplingParameters(strength=0.5)), compiling)
    monkeypatch.setattr(sharing, "free_memory", lambda: 0)
    small = drawn(request("lightning", 2), compiling)
    assert {each.backend for each in (followed, weaker, small)} == {"torch"}
    begin = "drawn with PyTorch, not with openvino: "
    assert followed.warnings == (f"{begin}a compiled UNet follows no lines",)
    assert weaker.warnings == (f"{begin}adapters are compiled at the strength of their recipes",)
    assert small.warnings == (f"{begin}there is not enough free memory to compile the UNet",)


def test_the_base_s_first_steps_and_few_shapes_stay_compiled(compiling: Engine, torch_engine: Engine) -> None:
    recipe = replace(compiling.family.spec("hyper").recipe(2), base_first=1, base_guidance=3.0)
    with compiling.use(recipe) as loaded, loaded.base() as base:
        assert isinstance(loaded.unet, CompiledUNet)
        assert isinstance(base, CompiledUNet)
        assert base is not loaded.unet
        hidden, pooled, sizes = torch.zeros(1, 24, 64), torch.zeros(1, 32), torch.zeros(1, 6)
        cond = {"encoder_hidden_states": hidden, "added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}
        before = base.weight_bytes
        for side in (4, 6, 8):
            base.prepare(torch.zeros(1, 12, side, side), cond)
        assert base.weight_bytes <= 2 * before
    assert compiling.weight_bytes() > torch_engine.weight_bytes()
    assert compiling.holds(recipe.weights)


def test_a_backend_that_cannot_run_here_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="runs on a CPU, and this machine draws on cuda; choose torch instead"):
        families.machine(tmp_path, device="cuda").with_backend("openvino")
    monkeypatch.setattr(machine, "find_spec", lambda _name: None)
    monkeypatch.setenv("HYPERSD_BACKEND", "openvino-int8")
    with pytest.raises(ValueError, match=r"needs OpenVINO, which is not installed; run `pip install openvino`"):
        Machine.cpu()
