"""Every method runs to its end on a tiny family, leaves adapters that load, and goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig

from hypersd.distill import example_cache, lightning, tscd
from hypersd.distill.distillation_options import DistillationOptions
from hypersd.distill.methods import METHODS, distill
from hypersd.emoji.scenes import TrainingScenes
from hypersd.training.data import LatentBatches


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, scenes: LatentBatches) -> Path:
    """A folder of latents, as `hypersd emoji train` leaves it."""
    folder = tmp_path_factory.mktemp("data")
    np.save(folder / "latents.npy", scenes.latents)
    return folder


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_method_leaves_adapters_that_change_what_is_drawn(
    method: str, folder: Path, examples: TrainingScenes, data: Path, tmp_path: Path
) -> None:
    if method == "turbo":
        save_clip(folder)
    distill(method, folder=folder, examples=examples, out=tmp_path, data=data, shorten=0.003, batch_size=2)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert {file.stem for file in files} == set(METHODS[method].stages)
    assert not list(tmp_path.glob("*/samples/*")), "a tiny run draws no grids"
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    arguments = {"prompt": "a cat", "num_inference_steps": 1, "height": 32, "width": 32, "output_type": "latent"}
    plain = pipeline(**arguments, generator=torch.Generator().manual_seed(0)).images
    pipeline.load_lora_weights(tmp_path, weight_name=files[0].name)
    changed = pipeline(**arguments, generator=torch.Generator().manual_seed(0)).images
    assert not torch.equal(plain, changed)
    with pytest.raises(ValueError, match="--resume"):
        distill(method, folder=folder, examples=examples, out=tmp_path, data=data)
    before = {file: file.read_bytes() for file in files}
    distill(method, folder=folder, examples=examples, out=tmp_path, data=data, shorten=0.003, batch_size=2, resume=True)
    assert before == {file: file.read_bytes() for file in files}, "a finished training has nothing left to do"
    for changed in ({"seed": 1}, {"shorten": 0.01}, {"batch_size": 3}):
        again = {"shorten": 0.003, "batch_size": 2, **changed}
        with pytest.raises(ValueError, match=f"begun with {next(iter(changed))}"):
            distill(method, folder=folder, examples=examples, out=tmp_path, data=data, resume=True, **again)
    assert before == {file: file.read_bytes() for file in files}


def test_a_shortened_run_prepares_as_few_examples_and_keeps_them_to_itself(
    folder: Path, examples: TrainingScenes, tmp_path: Path
) -> None:
    shared, out = tmp_path / "shared", tmp_path / "out"
    shared.mkdir()
    distill("tscd", folder=folder, examples=examples, out=out, data=shared, shorten=0.002, batch_size=2)
    assert len(np.load(out / "latents" / "000000.npy")) == 32
    assert not list(shared.iterdir()), "a whole training would take them for enough"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda file: file.write_bytes(b""), "is empty"),
        (lambda file: file.write_bytes(b"latents"), "is damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:300]), "is damaged"),
        (lambda file: np.save(file, np.zeros((16, 4, 8, 8), np.float16)), "they belong to another family"),
        (lambda file: np.save(file, np.zeros((0, 12, 16, 16), np.float16)), "its numbers are not float16"),
        (lambda file: np.save(file, np.array([{}], dtype=object)), "is damaged"),
    ],
)
def test_latents_that_cannot_be_used_are_named(
    examples: TrainingScenes,
    data: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    complaint: str,
) -> None:
    file = tmp_path / "latents.npy"
    file.write_bytes((data / "latents.npy").read_bytes())
    damage(file)
    folder = examples.world.folder
    with pytest.raises(ValueError, match=rf"latents\.npy.*{complaint}"):
        distill("tscd", folder=folder, examples=examples, out=tmp_path / "out", data=tmp_path, shorten=0.003)


def save_clip(folder: Path) -> None:
    """The family's CLIP model, random, with the text side's width that the pipeline's pooled embedding has."""
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=128, patch_size=32
    )
    CLIPModel(CLIPConfig(vision_config=vision.to_dict(), projection_dim=16)).save_pretrained(folder / "clip")


def test_an_own_adapter_is_started_from(folder: Path, examples: TrainingScenes, data: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"gone\.safetensors"):
        distill(
            "backward",
            folder=folder,
            examples=examples,
            out=tmp_path,
            data=data,
            adapter=tmp_path / "gone.safetensors",
        )


class Interrupted(TrainingScenes):
    """Scenes whose user gives up after some captions."""

    patience = 40

    def caption(self, index: int, rng: np.random.Generator) -> str:
        self.patience -= 1
        if not self.patience:
            raise KeyboardInterrupt
        return super().caption(index, rng)


def test_a_teacher_cache_is_gone_on_with_and_belongs_to_its_teacher(
    folder: Path, examples: TrainingScenes, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example_cache, "_STEPS_PER_SHARD", 16)
    out, cache = tmp_path / "out", tmp_path / "out" / "teacher-50"

    def run(scenes: TrainingScenes, **chosen: Any) -> None:
        options = DistillationOptions(**{"teacher_cache": 50, "steps": (600,), **chosen})
        given = {"data": data, "shorten": 0.003, "batch_size": 2, "options": options}
        distill("lcm", folder=folder, examples=scenes, out=out, resume=out.exists(), **given)

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(examples.world))
    done = {file: file.stat().st_mtime_ns for file in cache.glob("*.npy")}
    assert len(done) == 2
    run(examples)
    assert [len(np.load(file)) for file in sorted(cache.glob("*.npy"))] == [16, 16, 16, 2]
    assert all(file.stat().st_mtime_ns == time for file, time in done.items())
    assert (out / "segments-1.safetensors").exists()
    assert json.loads((out / "run.json").read_text())["options"]["teacher_cache"] == 50
    with pytest.raises(ValueError, match=r"begun with options\.teacher_cache 50"):
        run(examples, teacher_cache=60)
    for file in ("run.json", "segments-1/run.json"):
        (out / file).unlink()
    shutil.rmtree(out / "segments-1")
    with pytest.raises(ValueError, match="teacher-50 holds teacher-50 of other data: their guidance is"):
        run(examples, guidance=(1.0, 2.0))


@pytest.mark.parametrize(
    ("method", "count", "complaint"),
    [
        ("lightning", 100, "lightning has no use for a teacher cache; a cache is for tscd, unified, cfg, tcd, lcm"),
        ("tscd", 49, "a teacher cache must hold at least 50 steps"),
    ],
)
def test_a_teacher_cache_that_cannot_be_used_is_refused(method: str, count: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        DistillationOptions(teacher_cache=count).check(method)


def test_an_unknown_method_is_named(folder: Path, examples: TrainingScenes, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="the methods are tscd, unified, cfg, backward, one-step, tcd, lcm, perflow, lightning, turbo"
    ):
        distill("magic", folder=folder, examples=examples, out=tmp_path)


def first_losses(out: Path) -> dict[str, float]:
    """Losses that the stages of a run logged, by stage and name."""
    lines = {file.parent.name: json.loads(file.read_text().splitlines()[-1]) for file in out.glob("*/log.jsonl")}
    return {
        f"{stage} {name}": value
        for stage, line in lines.items()
        for name, value in line.items()
        if name not in {"step", "time", "steps_per_second"}
    }


@pytest.mark.parametrize(
    ("method", "stages"),
    [
        ("tscd", ("segments-1",)),  # with its discriminator, which is Lightning's too
        *((method, METHODS[method].stages) for method in ("backward", "one-step", "perflow", "turbo")),
    ],
)
def test_a_method_s_gradients_may_be_accumulated(  # noqa: PLR0917 - fixtures and a row
    method: str, stages: tuple[str, ...], folder: Path, examples: TrainingScenes, data: Path, tmp_path: Path
) -> None:
    if method == "turbo":
        save_clip(folder)
    given = {"folder": folder, "examples": examples, "data": data, "shorten": 0.003, "batch_size": 8}
    for passes in (1, 2):
        options = DistillationOptions(stages=stages, steps=(600,), precision="no", accumulate=passes)
        distill(method, out=tmp_path / str(passes), options=options, **given)
    whole, spread = (first_losses(tmp_path / str(passes)) for passes in (1, 2))
    assert len(whole) >= len(stages)
    assert spread == pytest.approx(whole, rel=1e-3, abs=1e-4)


def test_the_catalog_names_the_stages_with_a_discriminator_of_latents() -> None:
    for method, stages in (("tscd", tscd.STAGES), ("lightning", lightning.STAGES)):
        assert METHODS[method].adversarial == tuple(stage.name for stage in stages if stage.adversarial)
