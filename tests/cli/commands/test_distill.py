"""`distill`. The methods themselves are tested in tests/distill; here, that they are asked for rightly."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from hypersd.cli.adapter_card import adapter_card
from hypersd.cli.options import DEFAULT_FAMILY
from hypersd.distill import methods
from hypersd.distill.distillation_options import DistillationOptions
from hypersd.emoji.scenes import TrainingScenes
from hypersd.models.adapter_file import inspect as inspect_file
from hypersd.models.adapter_file import layer_of
from hypersd.models.registry import FAMILIES
from tests.cli.conftest import Call
from tests.families import write_emoji


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Record the trainer's arguments in place of its work, which takes long."""
    signature, calls = inspect.signature(methods.distill), list[dict[str, Any]]()

    def distill(*args: object, **kwargs: object) -> None:
        calls.append(signature.bind(*args, **kwargs).arguments)
        Path(str(kwargs["out"]), "one.safetensors").touch()

    monkeypatch.setattr(methods, "distill", distill)
    return calls


def test_a_method_is_run_on_the_embedded_family(call: Call, tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    document = call("distill", "tscd", "--out", tmp_path, "--json").document
    assert document == {
        "method": "tscd",
        "family": DEFAULT_FAMILY,
        "out": str(tmp_path),
        "adapters": ["one.safetensors"],
    }
    assert asked[0]["method"] == "tscd"
    assert asked[0]["folder"] == FAMILIES[DEFAULT_FAMILY].folder
    assert asked[0]["data"] is None
    assert asked[0]["resume"] is False


def test_the_adapters_have_a_card_for_the_hub(call: Call, tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    assert call("distill", "tscd", "--out", tmp_path).status == 0
    assert asked
    card = ModelCard.load(tmp_path / "README.md")
    assert (card.data.license, card.data.library_name, card.data.pipeline_tag) == (
        "apache-2.0",
        "diffusers",
        "text-to-image",
    )
    assert {"lora", "distill", "tscd"} <= set(card.data.tags)
    assert "`python -m hypersd distill tscd --family emoji`" in card.text
    assert 'weight_name="one.safetensors"' in card.text


def test_a_published_base_is_named_in_the_card() -> None:
    card = ModelCard(adapter_card(FAMILIES["sdxl"], "lcm", "distill lcm --family sdxl", ["lcm.safetensors"]))
    assert card.data.base_model == "stabilityai/stable-diffusion-xl-base-1.0"
    assert card.data.license == "openrail++"
    turbo = ModelCard(adapter_card(FAMILIES["sd21"], "lcm", "distill lcm --family sd21", []))
    assert (turbo.data.license, turbo.data.license_name) == ("other", "sai-nc-community")


def test_its_options_reach_it(call: Call, tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    (tmp_path / "jumps.npy").touch()
    words = ("--resume", "--data", tmp_path, "--shorten", "0.5", "--seed", "3", "--out", tmp_path / "out")
    result = call("distill", "turbo", *words)
    assert result.out == f"Adapters in {tmp_path / 'out'}: one.safetensors\n"
    assert asked[0] | {"folder": None, "examples": None} == {
        "method": "turbo",
        "folder": None,
        "examples": None,
        "out": tmp_path / "out",
        "data": tmp_path,
        "adapter": None,
        "variant": None,
        "vae": None,
        "resume": True,
        "shorten": 0.5,
        "feedback": None,
        "seed": 3,
        "batch_size": None,
        "options": DistillationOptions(),
    }


def test_every_option_of_the_training_reaches_it(call: Call, tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    words = "--rank 4 --rate 1e-5 --batch 24 --accumulate 3 --guidance 3,15 --stages segments-2,segments-8 --steps 5,7"
    more = "--precision no --optimizer adamw --no-gradient-checkpointing"
    assert call("distill", "tscd", *words.split(), *more.split(), "--out", tmp_path).status == 0
    assert asked[0]["batch_size"] == 24
    assert asked[0]["options"] == DistillationOptions(
        rank=4,
        learning_rate=1e-5,
        guidance=(3.0, 15.0),
        stages=("segments-2", "segments-8"),
        steps=(5, 7),
        accumulate=3,
        precision="no",
        gradient_checkpointing=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("tscd --rank 0", "rank must be a whole number from 1"),
        ("tscd --rank 1e3", "rank must be a whole number"),
        ("tscd --rate 0", "learning rate above 0"),
        ("tscd --rate nan", "learning rate above 0"),
        ("tscd --rate fast", "such as 1e-5"),
        ("tscd --batch 0", "whole number from 1"),
        ("tscd --batch 30 --accumulate 4", "a batch of 30 cannot be spread evenly over 1 processes and 4 passes"),
        ("tscd --guidance 4,2", "LOW,HIGH"),
        ("tscd --guidance 1,2,3", "LOW,HIGH"),
        ("tscd --guidance inf", "LOW,HIGH"),
        ("tscd --guidance -1", "LOW,HIGH"),
        ("lightning --guidance 2,4", "one guidance scale"),
        ("one-step --guidance 2", "no guided teacher"),
        ("tscd --stages segments-3", "no stage 'segments-3'; its stages are segments-8"),
        ("tscd --stages segments-8,segments-8", "listed twice"),
        ("tscd --stages ,", "separated by commas"),
        ("tscd --steps 0", "steps must be a whole number from 1"),
        ("tscd --steps 1,2", "steps for 2 stages, but 5 are trained"),
        ("tscd --stages segments-8 --steps 1,2", "steps for 2 stages, but 1 are trained"),
        ("tscd --precision fp8", "invalid choice"),
        ("tscd --optimizer adamw8bit", "adamw8bit needs"),
        ("tscd --tracker magic", "unknown tracker 'magic'"),
        ("tscd --tracker clearml", "pip install clearml"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_the_work(
    call: Call, tmp_path: Path, asked: list[dict[str, Any]], words: str, said: str
) -> None:
    out = tmp_path / "out"
    assert said in call("distill", *words.split(), "--out", out).complaint
    assert not asked
    assert not out.exists()


def test_scenes_of_an_own_family_are_distilled_with_it(call: Call, tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    mine = tmp_path / "family"
    write_emoji(mine, ["hyper"])
    shutil.copyfile(mine / "adapters" / "hyper.safetensors", tmp_path / "mine.safetensors")
    words = ("--data", tmp_path, "--adapter", tmp_path / "mine.safetensors", "--out", tmp_path / "out")
    assert call("distill", "backward", *words).status == 0
    assert asked[0]["folder"] == asked[0]["examples"].world.folder == mine
    assert asked[0]["adapter"] == tmp_path / "mine.safetensors"


@pytest.mark.parametrize("left", ["family/model_index.json", "jumps.npy", "latents/made-from.json"])
def test_a_folder_of_an_emoji_training_is_no_source_of_pictures(
    call: Call, tmp_path: Path, asked: list[dict[str, Any]], left: str
) -> None:
    if left.startswith("family"):
        write_emoji(tmp_path / "family", [])
    else:
        (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / left).touch()
    assert call("distill", "lcm", "--data", tmp_path, "--out", tmp_path / "out").status == 0
    assert asked[0]["data"] == tmp_path
    assert isinstance(asked[0]["examples"], TrainingScenes)


@pytest.mark.parametrize("words", ["tscd", "tscd --dry-run", "lightning --stages 1-step"])
def test_a_base_too_small_for_a_discriminator_is_refused_before_the_work(
    call: Call, tmp_path: Path, asked: list[dict[str, Any]], words: str
) -> None:
    write_emoji(tmp_path / "family", [])
    given = (*words.split(), "--base", tmp_path / "family", "--out", tmp_path / "out")
    assert "makes 2 × 2 of latents of 4 × 4, and 4 × 4 are needed" in call("distill", *given).complaint
    assert not asked
    assert not (tmp_path / "out").exists()


def test_a_small_base_is_distilled_without_a_discriminator(
    call: Call, tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    write_emoji(tmp_path / "family", [])
    words = ("--base", tmp_path / "family", "--out", tmp_path / "out", "--stages", "segments-8,segments-4")
    assert call("distill", "tscd", *words).status == 0
    assert asked


@pytest.mark.parametrize(
    ("method", "file", "complaint"),
    [("backward", "gone.safetensors", "there is no adapter"), ("tscd", "mine.safetensors", "starts from the base")],
)
def test_an_adapter_must_be_there_and_of_use(
    call: Call, tmp_path: Path, method: str, file: str, complaint: str
) -> None:
    (tmp_path / "mine.safetensors").touch()
    assert complaint in call("distill", method, "--adapter", tmp_path / file, "--out", tmp_path / "out").complaint


def test_a_family_without_scenes_cannot_be_distilled(call: Call, tmp_path: Path) -> None:
    assert "sdxl cannot be distilled" in call("distill", "tscd", "--family", "sdxl", "--out", tmp_path).complaint


def test_a_training_is_not_overwritten(call: Call, tmp_path: Path) -> None:
    state = tmp_path / "turbo" / "state" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    assert "--resume" in call("distill", "turbo", "--out", tmp_path).complaint


@pytest.mark.usefixtures("tiny")
def test_a_dry_run_prints_the_recipe_and_its_memory_and_writes_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("distill", "tscd", "--family", "sd15", "--dry-run", "--batch", "2", "--stages", "segments-8")
    document = call(*words, "--rank", "64", "--rate", "1e-5", "--json").document
    assert document["recipe"]["rank"] == 64
    assert document["recipe"]["guidance"] == [2.5, 4.0]
    (stage,) = document["bytes_per_device"]
    assert stage["trained"] == 4 * 67_252_224
    assert stage["rates"] == {"student": 1e-5}
    assert stage["total"] == stage["weights"] + stage["optimizer"] + stage["activations"]
    small = ("distill", "tscd", "--dry-run", "--stages", "segments-8")
    (stage,) = call(*small, "--json").document["bytes_per_device"]
    shown = call(*small).out
    assert "segments-8" in shown
    assert f"{stage['weights'] / 1e9:.3f}" in shown
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("turbo --family sd15 --dry-run", "turbo needs the family's CLIP model"),
        ("tscd --dry-run --base nowhere", "nowhere"),
        ("tscd --dry-run --rank 8 --batch 5 --accumulate 2", "cannot be spread evenly"),
        ("tscd", "name one with --out"),
        ("tscd --base nowhere --out out", "nowhere"),
    ],
)
def test_what_cannot_be_planned_is_one_line(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in call("distill", *words.split()).complaint
    assert not list(tmp_path.iterdir())


def test_feedback_and_a_real_score_are_for_score_distillation(call: Call, tmp_path: Path) -> None:
    refused = call("distill", "tscd", "--reward", tmp_path, "--out", tmp_path / "out").complaint
    assert refused == "tscd takes no human feedback; unified and one-step do"
    refused = call("distill", "lcm", "--real", "base", "--out", tmp_path / "out").complaint
    assert refused == "lcm follows no score; a real score is for unified and one-step"
    refused = call("distill", "one-step", "--reward", tmp_path / "gone", "--out", tmp_path / "out").complaint
    assert "gone" in refused
    assert not (tmp_path / "out").exists()


def test_adapters_are_written_in_kohya_s_keys_too(call: Call, tmp_path: Path) -> None:
    words = ("perflow", "--steps", "1", "--batch", "1", "--shorten", "0.0001", "--format", "kohya")
    document = call("distill", *words, "--out", tmp_path, "--json").document
    assert document["adapters"] == ["perflow.kohya.safetensors", "perflow.safetensors"]
    ours, kohya = (inspect_file(tmp_path / name) for name in reversed(document["adapters"]))
    assert (ours.format, kohya.format) == ("diffusers", "kohya")
    layers = {layer_of(key).replace(".", "_") for key in ours.shapes}
    assert {layer_of(key).removeprefix("lora_") for key in kohya.shapes} == layers
