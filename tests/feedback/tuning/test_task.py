"""Feedback changes what is drawn, in the direction that is asked for, and its guard ends what goes wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from hypersd.arena.votes.images import ImageStore
from hypersd.distill.student import Student
from hypersd.feedback.preferences.dataset import Preferences
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.feedback.reward.train import SECOND
from hypersd.feedback.tuning import refl
from hypersd.feedback.tuning.dpo import DirectPreference, RankedLatents
from hypersd.feedback.tuning.hinge import HingeFeedback
from hypersd.feedback.tuning.merge import WEIGHTS, MergePoint, choose, concatenate, write_merged
from hypersd.feedback.tuning.monitor import Limits, RewardHackingMonitor, ValidationMetrics, ValidationSet, spread
from hypersd.feedback.tuning.rollout import (
    PromptBatch,
    denoise_noised_images,
    fixed_noise,
    rollout_to_step,
    times_of,
    visible_times,
)
from hypersd.feedback.tuning.task import TuningTask
from hypersd.feedback.tuning.tune import AdapterGroup, enter, groups_of, tune
from hypersd.models.model_source import ModelSource
from hypersd.models.registered import with_registered
from hypersd.models.registry import FAMILIES
from hypersd.models.schedulers import build_scheduler
from hypersd.models.specs import Family, Recipe
from hypersd.training.adapter_passes import disable_adapter
from hypersd.training.adapters import save_adapter
from hypersd.training.objective import StepContext, StopTraining

HYPER = FAMILIES["emoji"].spec("hyper")
RECIPES = (HYPER.recipe(2), HYPER.recipe(4))


@pytest.fixture(scope="module")
def family(folder: Path) -> Family:
    """The tiny family."""
    tiny = FAMILIES["emoji"]
    return replace(tiny, folder=folder, pixels=32, specs=tuple(replace(spec, pixels=32) for spec in tiny.specs))


def step(number: int = 0) -> StepContext:
    """Always the same random numbers."""
    return StepContext(
        number=number,
        progress=0.0,
        device=torch.device("cpu"),
        generator=torch.Generator().manual_seed(0),
        rng=np.random.default_rng(0),
    )


def task(folder: Path, reward: Path, out: Path, **changed: object) -> TuningTask:
    given = {
        "source": ModelSource(folder),
        "few_steps": folder / "adapters" / "hyper.safetensors",
        "recipes": RECIPES,
        "rewards": [reward],
        "prompts": ["a cat on a blue background", "a dog"],
        "validation": ["a cat", "a dog on a white background"],
        "out": out,
        "batch_size": 2,
        "shorten": 0.17,  # as many steps as to the first look
        # A tiny random family draws noise: nothing about it is to be guarded.
        "limits": Limits(diversity=0.0, alignment_fall=100, second_fall=100, statistic_deviations=1000),
    }
    return TuningTask(**{**given, **changed})  # type: ignore[arg-type]


def test_the_untuned_student_is_the_few_step_model(folder: Path) -> None:
    tuned = Student(ModelSource(folder), rank=2, few_steps=folder / "adapters" / "hyper.safetensors")
    plain = Student(ModelSource(folder), rank=2)
    noise, cond = fixed_noise(tuned, 1, 0), tuned.text.conditioning(["a cat"])
    times = torch.tensor([499])
    with torch.no_grad():
        assert not torch.allclose(tuned.predict(noise, times, cond), plain.predict(noise, times, cond))
        with disable_adapter(tuned.unet):
            untuned = tuned.predict(noise, times, cond)
        assert torch.equal(tuned.predict(noise, times, cond), untuned), "a new adapter changes nothing"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.scheduler.name)
def test_a_drawing_through_every_call_ends_where_diffusers_ends(folder: Path, recipe: Recipe) -> None:
    student = Student(ModelSource(folder), rank=2)
    prompts = ["a cat", "a dog"]
    noise, cond = fixed_noise(student, 2, 0), student.text.conditioning(prompts)
    drawn = rollout_to_step(student, recipe, noise, cond, recipe.steps - 1, generator=step().generator)
    student.pipeline.scheduler = build_scheduler(student.pipeline.scheduler, recipe.scheduler)
    student.pipeline.set_progress_bar_config(disable=True)
    expected = student.pipeline(
        prompts,
        num_inference_steps=recipe.steps,
        guidance_scale=0.0,
        eta=recipe.eta or 0.0,
        latents=noise,
        generator=step().generator,
        output_type="latent",
    ).images
    # The sampler stops at the schedule's first time, where a trace of the noise is left.
    assert torch.allclose(drawn.tuned.detach(), expected, atol=0.2)
    assert drawn.tuned.requires_grad
    assert not drawn.untuned.requires_grad
    with pytest.raises(ValueError, match=f"no call {recipe.steps}"):
        rollout_to_step(student, recipe, noise, cond, recipe.steps, generator=step().generator)


def test_a_student_is_asked_at_its_recipe_s_own_times(folder: Path) -> None:
    assert times_of(Student(ModelSource(folder), rank=2), HYPER.recipe(1)) == [800]


def test_times_at_which_noise_hides_the_picture_are_not_visible(folder: Path) -> None:
    student = Student(ModelSource(folder), rank=2)
    all_recipes = tuple(HYPER.recipe(steps) for steps in (1, 2, 4, 8))
    assert visible_times(student, [HYPER.recipe(1)]) == [], "of a picture at 800, a fifth is left beside the noise"
    assert visible_times(student, [HYPER.recipe(2)]) == [499]
    assert visible_times(student, [HYPER.recipe(4)]) == [259, 499]
    assert visible_times(student, all_recipes) == [139, 259, 379, 499, 639]
    kept = student.schedule.alphas_cumprod[torch.tensor([639, 759])]
    assert kept[0] >= 0.1 > kept[1]


def test_noised_pictures_are_asked_about_at_all_visible_times_and_no_other(folder: Path) -> None:
    student = Student(ModelSource(folder), rank=2)
    recipes = [HYPER.recipe(steps) for steps in (1, 2, 4, 8)]
    asked: set[int] = set()
    student.unet.register_forward_pre_hook(
        lambda _unet, inputs: asked.add(int(torch.as_tensor(inputs[1]).flatten()[0]))
    )
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for _ in range(40):
            denoise_noised_images(student, torch.zeros(1, 3, 32, 32), ["a cat"], recipes, replace(step(), rng=rng))
    assert asked == set(visible_times(student, recipes))
    with pytest.raises(ValueError, match="so noisy that nothing can be seen"):
        denoise_noised_images(student, torch.zeros(1, 3, 32, 32), ["a cat"], recipes[:1], step())


@pytest.mark.parametrize(("steps", "asked", "rate"), [(1, False, 3e-5), (4, True, 3e-4)])
def test_an_adapter_of_a_single_step_has_no_perception_loss_and_a_lower_rate(
    folder: Path,
    reward: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    steps: int,
    asked: bool,
    rate: float,
) -> None:
    calls: list[Sequence[Recipe]] = []

    def perception(student: Student, recipes: Sequence[Recipe], step: StepContext) -> torch.Tensor:
        calls.append(recipes)
        return denoise_noised_images(student, torch.zeros(1, 3, 32, 32), ["a cat"], recipes, step).mean()

    caplog.set_level("INFO", "hypersd")
    recipes = (HYPER.recipe(steps),)
    task(folder, reward, tmp_path / "one", recipes=recipes, perception=perception, shorten=0.02).run()
    assert bool(calls) == asked
    assert ("one has no visual-perception loss" in caplog.text) != asked
    record = json.loads((tmp_path / "one" / "training" / "run.json").read_text())
    assert record["data"]["learning_rate"] == rate


def moved_by(adapter: Path) -> float:
    """Largest weight of an adapter's second factors, which begin at zero."""
    return max(float(value.abs().max()) for name, value in load_file(adapter).items() if "lora_B" in name)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_perception_loss_is_weighted_and_left_out_at_zero(
    folder: Path, reward: Path, tmp_path: Path, weight: float
) -> None:
    def perception(student: Student, recipes: Sequence[Recipe], step: StepContext) -> torch.Tensor:
        return denoise_noised_images(student, torch.zeros(1, 3, 32, 32), ["a cat"], recipes, step).mean() * 0 + 3

    changed = {"perception": perception, "perception_weight": weight, "learning_rate": 1e-6}
    task(folder, reward, tmp_path / "with", shorten=0.02, **changed).run()
    task(folder, reward, tmp_path / "without", shorten=0.02).run()
    first, plain = (
        json.loads((tmp_path / name / "training" / "log.jsonl").read_text().splitlines()[0])
        for name in ("with", "without")
    )
    assert first["feedback"] - plain["feedback"] == pytest.approx(3 * weight, abs=1e-4)
    assert ("perception" in first) == bool(weight)
    record = json.loads((tmp_path / "with" / "training" / "run.json").read_text())
    assert (record["data"]["perception"], record["data"]["learning_rate"]) == (weight, 1e-6)
    moved, usual = (moved_by(tmp_path / name / "feedback.safetensors") for name in ("with", "without"))
    assert 0 < moved < 0.1 * usual


def test_refl_leaves_an_adapter_and_what_it_was_made_of(folder: Path, reward: Path, tmp_path: Path) -> None:
    tuned = task(folder, reward, tmp_path).run()
    document = json.loads((tmp_path / "feedback.json").read_text())
    assert len(document["history"]) >= 2
    assert tuned.weight in WEIGHTS
    assert document["lineage"]["kind"] == "simulated"
    assert {len(document["lineage"][name]) for name in ("votes", "reward", "adapter")} == {16}
    written = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert task(folder, reward, tmp_path).run() == tuned, "what is finished is read"
    assert written == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ValueError, match="seed"):
        task(folder, reward, tmp_path, seed=1).run()


def test_refl_pleases_the_reward(folder: Path, reward: Path) -> None:
    student, model = Student(ModelSource(folder), rank=4), RewardModel.load(reward)
    monitor = RewardHackingMonitor(Still(student, check()), every=100)  # type: ignore[arg-type]
    free = refl.ReFLConfig(anchor=0.0)
    objective = refl.RewardFeedback(student, [model], monitor, RECIPES[:1], config=free)
    objective.feedback = HingeFeedback([model], [1e3])  # however much it is liked already
    batch = PromptBatch(["a cat", "a dog"], fixed_noise(student, 2, 0))
    optimizer = torch.optim.Adam(student.weights, lr=3e-3)
    rewards: list[float] = []
    for _ in range(24):
        losses = objective.loss("feedback", batch, step())
        rewards.append(float(losses["reward"].detach()))
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert rewards[-1] > rewards[0] + 0.1 * model.reward_iqr


def test_dpo_learns_from_the_votes_themselves(
    folder: Path, reward: Path, preferences: Preferences, pictures: ImageStore, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="name them"):
        task(folder, reward, tmp_path / "without", method="dpo", shorten=0.01).run()
    examples = preferences.split("train")
    task(folder, reward, tmp_path / "with", method="dpo", preferences=examples, pictures=pictures, shorten=0.01).run()
    assert (tmp_path / "with" / "adapter.safetensors").exists()


def test_dpo_moves_towards_what_was_preferred(folder: Path, preferences: Preferences, pictures: ImageStore) -> None:
    student = Student(ModelSource(folder), rank=4)
    batch = RankedLatents.of(preferences.examples[:8], pictures, student, batch_size=4)(step())
    monitor = RewardHackingMonitor(Still(student, check()), every=100)  # type: ignore[arg-type]
    objective = DirectPreference(student, monitor, RECIPES)
    assert objective.times.tolist() == [259, 499, 759, 999]
    optimizer = torch.optim.Adam(student.weights, lr=3e-3)
    losses: list[float] = []
    for _ in range(12):
        loss = objective.loss("feedback", batch, step())["loss"]
        losses.append(float(loss.detach()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[0] == pytest.approx(math.log(2), abs=1e-3), "at the start it is the untuned student"
    assert losses[-1] < 0.9 * losses[0]


def test_latents_know_which_picture_was_preferred(folder: Path, preferences: Preferences, pictures: ImageStore) -> None:
    student = Student(ModelSource(folder), rank=2)
    some = preferences.examples[:8]
    ranked = RankedLatents.of(some, pictures, student, batch_size=4)
    assert len(ranked.prompts) == sum(one.decisive for one in some)
    assert ranked.better.shape == ranked.worse.shape
    with pytest.raises(ValueError, match="no vote prefers"):
        RankedLatents.of([replace(one, target=0.5) for one in some], pictures, student, batch_size=4)


def test_pictures_of_every_size_are_learned_from(folder: Path, preferences: Preferences, tmp_path: Path) -> None:
    several = ImageStore(str(tmp_path))
    names = [several.put(Image.new("RGB", (side, side), "red")) for side in (64, 32)]
    preference = replace(preferences.examples[0], pictures=(names[0], names[1]), target=1.0, both_bad=False)
    ranked = RankedLatents.of([preference], several, Student(ModelSource(folder), rank=2), batch_size=1)
    assert ranked.better.shape == ranked.worse.shape == (1, 12, 4, 4)
    assert torch.allclose(ranked.better, ranked.worse), "one red is like the other"


def check(**changed: float) -> ValidationMetrics:
    plain = {"reward": 0.0, "second": 1.0, "alignment": 0.3, "diversity": 0.1, "distance": 0.0}
    statistics = {"brightness": 0.5, "contrast": 0.2, "saturation": 0.3, "sharpness": 0.1}
    moved = {name: changed.pop(name) for name in list(changed) if name in statistics}
    return ValidationMetrics(**{**plain, **changed}, statistics={**statistics, **moved})


class Still:
    """A validation set that returns the given metrics."""

    def __init__(self, student: Student, *checks: ValidationMetrics) -> None:
        self.student, self.checks = student, iter(checks)
        self.reward, self.holdout_reward = (
            SimpleNamespace(backbone=SimpleNamespace(noticeable_difference=0.01)),
            SimpleNamespace(reward_iqr=1.0),
        )

    def evaluate(self) -> tuple[ValidationMetrics, torch.Tensor]:
        return next(self.checks), torch.tensor([[0.4, 0.1, 0.2, 0.05], [0.6, 0.3, 0.4, 0.15]])


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        ({"diversity": 0.07}, "diversity fell to 70%"),
        ({"second": 0.7}, "second reward model fell"),
        ({"sharpness": 0.3}, "sharpness moved"),
        ({"alignment": 0.28}, "fit their prompts less: -2.0"),
    ],
)
def test_the_guard_ends_what_goes_wrong(folder: Path, later: dict[str, float], reason: str) -> None:
    student = Student(ModelSource(folder), rank=2)
    panel = Still(student, check(), check(reward=1.0), check(reward=2.0, **later))
    monitor = RewardHackingMonitor(panel, every=1)  # type: ignore[arg-type]
    monitor.after_step(step())
    with pytest.raises(StopTraining, match=reason):
        monitor.after_step(step(1))
    assert [one.reward for _, one in monitor.history] == [0.0, 1.0, 2.0]


def test_a_guard_that_is_asked_again_remembers_the_best_it_saw(folder: Path, tmp_path: Path) -> None:
    student, file = Student(ModelSource(folder), rank=2), tmp_path / "looks.json"
    before = RewardHackingMonitor(Still(student, check(), check(second=2.0)), every=1, file=file)  # type: ignore[arg-type]
    before.after_step(step())
    later = RewardHackingMonitor(Still(student, check(), check(second=1.5)), every=1, file=file)  # type: ignore[arg-type]
    assert later.history == before.history
    with pytest.raises(StopTraining, match=r"fell from 2\.00 to 1\.50"):
        later.after_step(step(1))
    assert [number for number, _ in later.history] == [0, 1, 2]
    again = RewardHackingMonitor(Still(student, check(), check(second=1.2)), every=1, file=file)  # type: ignore[arg-type]
    again.after_step(step())
    assert [number for number, _ in again.history] == [0, 1], "what comes after is not known yet"
    file.write_text("[[1, {}]]")
    with pytest.raises(ValueError, match=r"looks\.json is damaged"):
        RewardHackingMonitor(Still(student, check()), every=1, file=file)  # type: ignore[arg-type]


def test_two_adapters_become_one(folder: Path, tmp_path: Path) -> None:
    few_steps = folder / "adapters" / "hyper.safetensors"
    student = Student(ModelSource(folder), rank=3)
    for name, value in student.unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.02, generator=torch.Generator().manual_seed(len(name)))
    plugin = tmp_path / "plugin.safetensors"
    save_adapter(student.unet, plugin)
    fewer, more = load_file(few_steps), load_file(plugin)
    assert fewer.keys() < more.keys(), "layers that only one of them adapts are filled up"
    both = concatenate(fewer, more, 1.0)
    assert both.keys() == more.keys()
    assert {value.shape[0] for name, value in both.items() if name.endswith("lora_A.weight")} == {4 + 3}
    other = tmp_path / "other.safetensors"
    save_adapter(student.unet, other)
    write_merged(load_file(plugin), load_file(other), 0.5, tmp_path / "merged.safetensors")
    merged = load_file(tmp_path / "merged.safetensors")
    ranks = {value.shape[0] for name, value in merged.items() if name.endswith("lora_A.weight")}
    assert ranks == {6}
    layers = load_file(plugin)
    for name in [name for name in layers if name.endswith("lora_A.weight")]:
        up = name.replace("lora_A", "lora_B")
        alone = layers[up].float().flatten(1) @ layers[name].float().flatten(1)
        both = merged[up].float().flatten(1) @ merged[name].float().flatten(1)
        assert torch.allclose(both, 1.5 * alone, atol=2e-3), name


def test_the_weight_that_is_chosen_pleases_both_and_breaks_no_rule() -> None:
    points = [
        MergePoint(0.0, check(reward=0.0, second=0.0), ""),
        MergePoint(0.5, check(reward=1.0, second=1.0), ""),
        MergePoint(1.0, check(reward=2.5, second=-1.0), ""),
        MergePoint(1.5, check(reward=9.0, second=9.0), "diversity fell"),
    ]
    assert choose(points).weight == 0.5
    with pytest.raises(ValueError, match="include 0"):
        choose(points[-1:])


def test_spread_is_the_mean_distance() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert float(spread(features)) == pytest.approx(2 / 3)


def test_the_panel_looks_at_the_same_pictures_each_time(folder: Path, reward: Path) -> None:
    student = Student(ModelSource(folder), rank=2)
    models = RewardModel.load(reward), RewardModel.load(reward / SECOND)
    validation = ValidationSet(student, *models, RECIPES, ["a cat", "a dog"], seeds=2)
    (metrics, pictures), (other, _) = validation.evaluate(), validation.evaluate()
    assert metrics == other
    assert metrics.distance == 0
    assert pictures.shape == (4, 4)


def test_a_model_is_tuned_adapter_by_adapter_and_enters(family: Family, reward: Path, tmp_path: Path) -> None:
    groups = groups_of(family, "hyper")
    assert {group.file.stem: [one.steps for one in group.recipes] for group in groups} == {
        "hyper-1-step": [1],
        "hyper": [2, 4, 8],
    }
    assert [one.steps for one in groups[1].trained] == [2, 4, 8]
    results = tune(
        family, groups, rewards=[reward], out=tmp_path / "tuned", prompts=["a cat", "a dog", "cat", "dog"], shorten=0.01
    )
    for group, tuned in results:
        document = json.loads((tmp_path / "tuned" / group.file.stem / "feedback.json").read_text())
        assert dict(tuned.lineage) == document["lineage"]
        assert tuned.lineage["kind"] == "simulated"
    enter("hyper-toy", family, "hyper", results, folder=tmp_path / "contestants", lineage={"kind": "simulated"})
    spec = with_registered(family, tmp_path / "contestants").spec("hyper-toy")
    assert [recipe.steps for recipe in spec.recipes] == [1, 2, 4, 8]
    assert spec.recipe(1).timesteps == (800,)


def test_an_adapter_of_ones_own_can_be_tuned(family: Family, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes((Path(str(family.folder)) / "adapters" / "hyper.safetensors").read_bytes())
    assert groups_of(family, "hyper", file) == [AdapterGroup(file, tuple(HYPER.recipe(steps) for steps in (2, 4, 8)))]
    with pytest.raises(FileNotFoundError):
        groups_of(family, "hyper", tmp_path / "gone.safetensors")
    with pytest.raises(ValueError, match="no adapter"):
        groups_of(family, "base")
