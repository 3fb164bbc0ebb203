"""The published families are tuned like the embedded one: from the Hub's cache, with real names and key formats."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, constants
from safetensors.torch import load_file, save_file

from hypersd.arena.service.studies import read_prompts
from hypersd.arena.votes.images import ImageStore
from hypersd.cli.main import main
from hypersd.distill import student as students
from hypersd.distill.student import Student
from hypersd.feedback.preferences.dataset import Preferences
from hypersd.feedback.reward.bradley_terry import RewardConfig
from hypersd.feedback.reward.image_statistics import as_tensor
from hypersd.feedback.reward.reward_model import METADATA
from hypersd.feedback.reward.train import RewardTask
from hypersd.feedback.tuning import tune as contestant
from hypersd.feedback.tuning.merge import write_merged
from hypersd.feedback.tuning.rollout import fixed_noise, rollout_to_step, times_of
from hypersd.feedback.tuning.task import TuningMethod, pictures_a_step
from hypersd.feedback.tuning.tune import AdapterGroup, groups_of, tune
from hypersd.models.downloads import DownloadError
from hypersd.models.engine import Engine
from hypersd.models.loading import Loader
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES
from hypersd.models.registry import family as registered
from hypersd.models.specs import Family
from hypersd.sampling.sampler import SampledImage, conditioning, denoise
from hypersd.training.adapters import save_adapter
from hypersd.utils.files import write_json
from tests import families

PROMPTS = ["a fox in the snow", "an old harbour", "a glass of tea", "a lighthouse at night"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both published families' base and few-step LoRAs, tiny and random."""
    cache = tmp_path_factory.mktemp("hub")
    for name in ("sdxl", "sd15"):
        whole = FAMILIES[name]
        families.hub_cache(replace(whole, specs=tuple(whole.spec(one) for one in ("hyper", "hyper-unified"))), cache)
    return cache


@pytest.fixture(autouse=True)
def _own_folders(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))


@pytest.fixture(params=["sdxl", "sd15"])
def family(request: pytest.FixtureRequest) -> Family:
    """Each of them."""
    return FAMILIES[request.param]


@pytest.fixture
def votes(preferences: Preferences, pictures: ImageStore) -> tuple[Preferences, ImageStore]:
    """Choices, and where their pictures are."""
    return preferences, pictures


def loader(family: Family) -> Loader:
    return Loader(family, Machine.here(), lambda _told: None)


def student(family: Family) -> Student:
    """A fresh one, whose adapter changes something."""
    torch.manual_seed(0)
    where = loader(family)
    tuned_student = Student(where.source(), rank=2, few_steps=where.file(family.spec("hyper").recipe(4).weights))
    for name, value in tuned_student.unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.05, generator=torch.Generator().manual_seed(len(name)))
    return tuned_student


def group(family: Family, steps: int = 4) -> AdapterGroup:
    return next(one for one in groups_of(family, "hyper") if one.recipes[0].steps == steps)


def test_each_published_adapter_is_a_group(family: Family) -> None:
    assert [(one.file.name, [recipe.steps for recipe in one.recipes]) for one in groups_of(family, "hyper")] == [
        (f"Hyper-{family.name.upper()}-{steps}steps-lora.safetensors", [steps]) for steps in (2, 4, 8)
    ]
    (unified,) = groups_of(family, "hyper-unified")
    assert [recipe.steps for recipe in unified.trained] == [1, 2, 4, 8]
    four = group(family)
    assert groups_of(family, "hyper", four.file.resolve())[0].recipes == four.recipes, "known through its link too"


def test_a_reward_model_that_began_as_imagereward_leads_a_tuning(
    votes: tuple[Preferences, ImageStore], tmp_path: Path
) -> None:
    family = FAMILIES["sd15"]
    published = tmp_path / "published"
    published.mkdir()
    families.write_image_reward(published, published)
    preferences, pictures = votes
    out, config = tmp_path / "reward", RewardConfig(steps=30)
    RewardTask(
        preferences=preferences, pictures=pictures, backbone=published, out=out, config=config, curve=False
    ).run()
    # Pictures of random weights are like none that was voted on, and may please more than any: the hinge is put higher.
    facts = json.loads((out / METADATA).read_text())
    write_json(out / METADATA, facts | {"preferred": {share: 100 + float(share) for share in facts["preferred"]}})
    ((_, tuned),) = tune(
        family, [group(family)], rewards=[out], out=tmp_path / "tuned", prompts=PROMPTS, batch_size=2, shorten=0.03
    )
    assert any(value.any() for name, value in load_file(tuned.plugin).items() if name.endswith("lora_B.weight"))


@pytest.mark.parametrize("method", ["refl", "dpo"])
def test_a_few_steps_change_the_adapter_and_leave_a_file_that_diffusers_loads(
    family: Family, method: TuningMethod, reward: Path, votes: tuple[Preferences, ImageStore], tmp_path: Path
) -> None:
    ((_, tuned),) = tune(
        family,
        [group(family)],
        rewards=[reward],
        out=tmp_path,
        method=method,
        votes=votes if method == "dpo" else None,
        prompts=PROMPTS,
        batch_size=2,
        shorten=0.03,
    )
    assert any(value.any() for name, value in load_file(tuned.plugin).items() if name.endswith("lora_B.weight"))
    document = json.loads((tmp_path / tuned.adapter.parent.name / "feedback.json").read_text())
    assert document["method"] == method
    assert [point["weight"] for point in document["merge"]] == [0.0, 0.4, 1.0], "a shortened tuning"
    for file in (tuned.adapter, tuned.plugin):
        pipeline = loader(family).base()
        pipeline.load_lora_weights(file.parent, weight_name=file.name, adapter_name="tuned")
        assert pipeline.get_active_adapters() == ["tuned"]


def test_the_merged_file_is_both_adapters_at_the_weight(family: Family, tmp_path: Path) -> None:
    tuned_student = student(family)
    save_adapter(tuned_student.unet, tmp_path / "plugin.safetensors")
    write_merged(
        tuned_student.few_steps_layers, load_file(tmp_path / "plugin.safetensors"), 0.6, tmp_path / "one.safetensors"
    )
    few_steps = loader(family).file(family.spec("hyper").recipe(4).weights)
    both, tuned_only, plain = (loader(family).base() for _ in range(3))
    both.load_lora_weights(str(few_steps.parent), weight_name=few_steps.name, adapter_name="few-steps")
    both.load_lora_weights(str(tmp_path), weight_name="plugin.safetensors", adapter_name="plugin")
    both.set_adapters(["few-steps", "plugin"], [1.0, 0.6])
    tuned_only.load_lora_weights(str(tmp_path), weight_name="one.safetensors")
    noise, cond = fixed_noise(tuned_student, 1, 0), tuned_student.text.conditioning(["a fox"])
    with torch.no_grad():
        wanted, merged, base = (each.unet(noise, 499, **cond).sample for each in (both, tuned_only, plain))
    assert (wanted - base).abs().max() > 0.05
    assert (merged - wanted).abs().max() < 0.02 * (wanted - base).abs().max(), "half precision, and nothing else"


def test_alphas_are_part_of_the_layers(cache: Path, tmp_path: Path) -> None:
    """The files of the cache say alpha = rank; published ones need not."""
    family = FAMILIES["sdxl"]
    file = loader(family).file(family.spec("hyper").recipe(4).weights)
    halved = {name: value / 2 if name.endswith(".alpha") else value for name, value in load_file(file).items()}
    save_file(halved, tmp_path / "halved.safetensors")
    source, files = loader(family).source(), (file, tmp_path / "halved.safetensors")
    plain, half = (Student(source, rank=2, few_steps=one) for one in files)
    for name, value in plain.few_steps_layers.items():
        factor = 0.5 if name.endswith("lora_A.weight") else 1.0
        assert torch.allclose(half.few_steps_layers[name], factor * value), name


def test_the_text_is_what_the_pipeline_makes_of_it(family: Family) -> None:
    tuned_student = student(family)
    engine = Engine(family, Machine.here())
    cond = conditioning(tuned_student.unet, engine.prompts.encode("a fox"), tuned_student.pixels, guided=False)
    mine = tuned_student.text.conditioning(["a fox"])
    assert mine.keys() == cond.keys()
    assert torch.allclose(mine["encoder_hidden_states"], cond["encoder_hidden_states"], atol=1e-5)
    for name, value in cond.get("added_cond_kwargs", {}).items():
        assert torch.allclose(mine["added_cond_kwargs"][name], value.float(), atol=1e-5), name


@pytest.mark.parametrize("model", ["hyper", "hyper-unified"])
def test_the_student_draws_what_the_sampler_draws(family: Family, model: str) -> None:
    recipe = family.spec(model).recipe(4)
    where = loader(family)
    tuned_student = Student(where.source(), rank=2, few_steps=where.file(recipe.weights))
    engine = Engine(family, Machine.here())
    with engine.use(recipe) as loaded:
        *_, last = denoise(loaded, recipe, engine.prompts.encode("a fox"), 3, pixels=tuned_student.pixels)
    assert isinstance(last, SampledImage)
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn((1, 4, 8, 8), generator=generator)
    cond = tuned_student.text.conditioning(["a fox"])
    drawn = rollout_to_step(tuned_student, recipe, noise, cond, 3, generator=generator)
    picture = tuned_student.picture(drawn.untuned)[0].clamp(-1, 1)
    assert len(times_of(tuned_student, recipe)) == 4
    assert (picture - as_tensor([last.image])[0]).abs().max() < 0.02


def test_large_pictures_are_learned_from_with_less_memory(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [pictures_a_step(pixels) for pixels in (64, 128, 256, 512, 1024)] == [16, 16, 16, 4, 1]
    gradients: list[torch.Tensor] = []
    for large in (256, 32):
        monkeypatch.setattr(students, "_LARGE", large)
        tuned_student = student(family)
        assert tuned_student.unet.is_gradient_checkpointing == (large == 32)
        cond = tuned_student.text.conditioning(["a fox", "a harbour"])
        recipe = family.spec("hyper").recipe(4)
        drawn = rollout_to_step(
            tuned_student, recipe, fixed_noise(tuned_student, 2, 0), cond, 1, generator=torch.Generator()
        )
        tuned_student.picture(drawn.tuned).square().mean().backward()
        gradients.append(
            torch.cat([weight.grad.flatten() for weight in tuned_student.weights if weight.grad is not None])
        )
    assert gradients[0].any()
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-6)


def test_prompts_are_the_family_s_own_and_some_are_kept_to_look_at(family: Family) -> None:
    training, validation = contestant._prompts(family, None)
    assert [*training, *validation] == read_prompts("photographs-and-art-v1")
    assert len(validation) == 12
    assert not set(training) & set(validation)


def check_card(out: Path, family: Family) -> None:
    """The card of tuned adapters names files that are there, their base, and how they were made."""
    card = ModelCard.load(out / "README.md")
    assert card.data.base_model == family.repository
    assert {"lora", "feedback"} <= set(card.data.tags)
    assert f"`python -m hypersd feedback --family {family.name} --model hyper --method refl`" in card.text
    named = re.findall(r"^- `(\S+\.safetensors)`", card.text, re.MULTILINE)
    assert named
    assert all((out / name).is_file() for name in named)


def test_by_the_command_line_a_tuned_model_enters_the_arena(
    family: Family, reward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prompts.txt").write_text("\n".join(PROMPTS))
    words = ("feedback", "--family", family.name, "--reward", reward, "--adapter", group(family, 2).file)
    options = ("--prompts", tmp_path / "prompts.txt", "--batch", 1, "--shorten", 0.1, "--enter", "hyper-mine", "--json")
    for seed in range(6):  # whether random weights gain anything is luck; what gains nothing must not enter
        out = ("--seed", seed, "--out", tmp_path / f"out-{seed}")
        status = main([str(word) for word in (*words, *options, *out)])
        printed = capsys.readouterr()
        assert status == 0, printed.err
        document = json.loads(printed.out)
        gained = any(adapter["weight"] for adapter in document["adapters"])
        assert (document["family"], document["entered"]) == (family.name, "hyper-mine" if gained else None)
        if gained:
            break
    assert gained
    assert [one["steps"] for one in document["adapters"]] == [[2]]
    check_card(tmp_path / f"out-{seed}", family)
    entered = registered(family.name)
    recipe = entered.spec("hyper-mine").recipe()
    assert recipe.steps == 2
    assert recipe.scheduler == family.spec("hyper").recipe(2).scheduler
    engine = Engine(entered, Machine.here())
    with engine.use(recipe) as loaded:
        *_, last = denoise(loaded, recipe, engine.prompts.encode("a fox"), 0, pixels=64)
    assert isinstance(last, SampledImage)


def test_what_is_not_downloaded_is_told_in_one_line(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["feedback", "--family", family.name, "--reward", "x", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    small = families.machine(tmp_path / "empty", memory_gb=2.0)
    monkeypatch.setattr(Machine, "here", lambda: small)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"hyper of {family.name} cannot be tuned here: needs about" in line
    gpu = families.machine(tmp_path / "empty", device="cuda", memory_gb=80.0)
    monkeypatch.setattr(Machine, "here", lambda: gpu)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("not downloaded and no network")


def test_one_missing_adapter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = FAMILIES["sdxl"]
    only = replace(family, specs=(replace(family.spec("hyper"), recipes=(family.spec("hyper").recipe(4),)),))
    families.hub_cache(only, tmp_path / "part")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "part"))
    with pytest.raises(DownloadError, match=r"Hyper-SDXL-2steps-lora\.safetensors is not downloaded"):
        groups_of(family, "hyper")
    there = Loader(only, Machine.here(), lambda _told: None).file(only.spec("hyper").recipe(4).weights)
    assert groups_of(family, "hyper", there)[0].recipes == (family.spec("hyper").recipe(4),)
