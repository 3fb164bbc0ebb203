"""Every objective takes a step on the device that it is given; a tensor that is left on the CPU is an error.

The device is PyTorch's meta device, which every machine has: it computes shapes only, and mixes with no other.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import hypersd
from hypersd.distill.catalog import METHODS
from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.dry_run import DryRun
from hypersd.distill.student import Student
from hypersd.emoji.scenes import TrainingScenes
from hypersd.emoji.training.autoencoder import Reconstruction, crops
from hypersd.emoji.training.base_model import Denoising
from hypersd.emoji.training.clip_towers import Contrast, build_tokenizer, captioned
from hypersd.emoji.training.control_stage import ControlledBatches, Controlling
from hypersd.emoji.training.style_stage import Styling
from hypersd.emoji.world import World
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.feedback.tuning.dpo import DirectPreference, RankedLatents
from hypersd.feedback.tuning.refl import RewardFeedback
from hypersd.feedback.tuning.rollout import PromptBatches
from hypersd.models.model_source import ModelSource
from hypersd.models.registry import FAMILIES
from hypersd.training.adapters import save_adapter
from hypersd.training.data import LatentBatches
from hypersd.training.memory import tensors_of
from hypersd.training.objective import Objective, StepContext
from tests.families import sd_pipeline, write_clip, write_emoji

META = torch.device("meta")
MOVES = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices, as an accelerator does; a single number may be anywhere."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        devices = {tensor.device.type for tensor in tensors_of((*args, *kwargs.values())) if tensor.dim()}
        assert len(devices) < 2 or func in MOVES, f"{func} mixes tensors of {' and '.join(sorted(devices))}"
        return func(*args, **kwargs)


def step() -> StepContext:
    return StepContext(
        number=0,
        progress=0.0,
        device=META,
        generator=torch.Generator().manual_seed(0),
        rng=np.random.default_rng(0),
    )


class OnMeta(DryRun):
    """A dry run of a student that was loaded on the CPU, and that starts from a real adapter."""

    load_few_steps = DistillationTask.load_few_steps
    scores = DistillationTask.scores


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny pipeline of SDXL's shape, a world, a CLIP model, and an adapter of few steps."""
    folder = tmp_path_factory.mktemp("sdxl") / "emoji"
    write_emoji(folder, [], levels=1)
    world = json.loads((folder / "world.json").read_text())
    (folder / "world.json").write_text(json.dumps({**world, "held_out": []}))
    return completed(folder)


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny pipeline of SD1.5's shape, a CLIP model, and an adapter of few steps."""
    folder = tmp_path_factory.mktemp("sd15") / "tiny"
    sd_pipeline(levels=1).save_pretrained(folder)
    return completed(folder)


def completed(folder: Path) -> Path:
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "sample_size": 16}))
    write_clip(folder / "clip")
    save_adapter(Student(ModelSource(folder)).unet, folder / "adapters" / "hyper.safetensors")
    return folder


@pytest.fixture
def examples(sdxl: Path) -> TrainingScenes:
    """Scenes of the tiny world."""
    return TrainingScenes(World.load(sdxl))


ON_SD15 = {"tscd", "one-step", "turbo"}
"""Methods that are tried on SD 1.5's shape, which has fewer conditions: each discriminator, and scores."""

ON_SDXL = METHODS.keys() - {"tscd"}
"""TSCD's objective is that of four other methods too, and its discriminator Lightning's."""


@pytest.mark.parametrize(
    ("shape", "method"),
    [("sdxl", method) for method in sorted(ON_SDXL)] + [("sd15", method) for method in sorted(ON_SD15)],
)
def test_every_distillation_runs_on_its_device(
    shape: str, method: str, examples: TrainingScenes, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(shape)
    task = OnMeta(
        method=method,
        student=Student(ModelSource(folder), rank=16, device=META),
        examples=examples,
        data=folder,
        batch_size=4,
        out=folder,
        few_steps=folder / "adapters" / "hyper.safetensors",
    )
    with OneDevice():
        METHODS[method].trainer()(task)
    assert [plan.name for plan in task.plans] == list(METHODS[method].stages)


def still() -> Any:
    """A monitor that is not asked."""
    return SimpleNamespace()


def reconstruction(folder: Path) -> tuple[Objective[Any], Any]:
    world = World.load(folder)
    return Reconstruction(world), crops(world, 2, step())


def contrast(folder: Path) -> tuple[Objective[Any], Any]:
    world = World.load(folder)
    return Contrast(world, build_tokenizer(["a cat"])), captioned(world, 2, step())


def denoising(folder: Path, kind: type[Denoising] = Denoising) -> tuple[Objective[Any], Any]:
    latents = np.zeros((4, 12, 16, 16), np.float16)
    return kind(folder, [], META), LatentBatches(TrainingScenes(World.load(folder)), latents, 2)(step())


def controlling(folder: Path) -> tuple[Objective[Any], Any]:
    scenes = TrainingScenes(World.load(folder))
    return Controlling(folder, META), ControlledBatches(scenes, 4, 2)(step())


def student(folder: Path) -> Student:
    few_steps = folder / "adapters" / "hyper.safetensors"
    return Student(ModelSource(folder), rank=2, few_steps=few_steps, device=META)


def refl(folder: Path, steps: int) -> tuple[Objective[Any], Any]:
    recipes = [FAMILIES["emoji"].spec("hyper").recipe(steps)]
    reward = RewardModel.start(folder / "clip").requires_grad_(False).to(META)
    reward.metadata["preferred"] = {"0.25": 0.0, "0.75": 1.0}
    tuned = student(folder)
    return RewardFeedback(tuned, [reward], still(), recipes), PromptBatches(["a cat"], tuned, 2)(step())


def dpo(folder: Path) -> tuple[Objective[Any], Any]:
    recipes = [FAMILIES["emoji"].spec("hyper").recipe(4)]
    latents = torch.zeros(3, 12, 16, 16)
    batches = RankedLatents(latents, latents, ("a cat", "a dog", "a cat"), 2)
    return DirectPreference(student(folder), still(), recipes), batches(step())


OTHERS: dict[str, Callable[[Path], tuple[Objective[Any], Any]]] = {
    "Reconstruction": reconstruction,
    "Contrast": contrast,
    "Denoising": denoising,
    "Styling": partial(denoising, kind=Styling),
    "Controlling": controlling,
    "DirectPreference": dpo,
    **{f"RewardFeedback at {steps} steps": partial(refl, steps=steps) for steps in (1, 2, 4)},
}

SHAPELESS = {"SoloTraining"}
"""As many masks are compared as there are objects, which are numbers, not shapes: the meta device has none."""


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_training_runs_on_its_device(name: str, sdxl: Path) -> None:
    with OneDevice():
        objective, batch = OTHERS[name](sdxl)
        for network in objective.networks:
            network.module.to(META)
        for network in objective.networks:
            objective.loss(network.name, batch, step())["loss"].backward(inputs=network.parameters)
    assert all(weight.grad is not None for network in objective.networks for weight in network.parameters)


def test_no_objective_is_left_out() -> None:
    """Those of the distillation methods are found by the methods; any other is to be named in OTHERS."""
    for module in pkgutil.walk_packages(hypersd.__path__, "hypersd."):
        if not module.name.endswith("__main__") and "migrations" not in module.name:
            importlib.import_module(module.name)
    names = {kind.__name__ for kind in subclasses(Objective) if kind.__module__.startswith("hypersd.")}
    recipes = Path(hypersd.__path__[0], "distill", "recipes")
    distilled = "\n".join(file.read_text() for file in recipes.glob("*.py"))
    assert not {name for name in names if name not in distilled} - {each.split()[0] for each in OTHERS} - SHAPELESS


def subclasses(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_the_guard_refuses_two_devices() -> None:
    with OneDevice(), pytest.raises(AssertionError, match="mixes tensors of cpu and meta"):
        torch.ones(2, device=META).matmul(torch.ones(2))
