"""A reward model learns what voters want, says how well, and comes back from disk the same."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image

from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preferences
from hypersd.feedback.reward.bradley_terry import ChoiceBatch, ChoiceTable, RewardConfig, choice_loss
from hypersd.feedback.reward.image_statistics import NAMES, as_tensor, statistics
from hypersd.feedback.reward.reward_folder import check_tunable
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.feedback.reward.reward_report import RewardReport, calibrate, share_by_prompt
from hypersd.feedback.reward.shortcuts import logistic
from hypersd.feedback.reward.train import SECOND, RewardTask
from hypersd.scorers.backbone_source import check_backbone
from tests.feedback.conftest import noisy


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reward")


@pytest.fixture(scope="module")
def report(folder: Path, preferences: Preferences, pictures: ImageStore, out: Path) -> RewardReport:
    """Report of a training."""
    return task(folder, preferences, pictures, out).run()


def task(folder: Path, preferences: Preferences, pictures: ImageStore, out: Path) -> RewardTask:
    return RewardTask(
        preferences=preferences,
        pictures=pictures,
        backbone=folder / "clip",
        out=out,
        kind_of=lambda prompt: "even" if int(prompt.split()[-1]) % 2 == 0 else "odd",
        config=RewardConfig(steps=200),
    )


def test_it_learns_what_voters_want(report: RewardReport, out: Path) -> None:
    assert report.accuracy.value > 0.85, "brightness is easy to see"
    assert report.accuracy.low <= report.accuracy.value <= report.accuracy.high
    assert report.shortcuts["image statistics"].value > 0.9, (
        "brightness is one of the statistics, and the report says so"
    )
    assert 0.2 < report.shortcuts["identity of the model"].value < 0.8, "both models are as bright"
    assert set(report.by_kind) == {"even", "odd"}
    assert sum(report.prompts.values()) == 40
    assert report.swap_error < 1e-9
    assert [votes for votes, _ in report.curve] == sorted(votes for votes, _ in report.curve)
    for name in ("report.md", "report.json", "calibration.png", "curve.png", "model.safetensors"):
        assert (out / name).stat().st_size
    model = RewardModel.load(out)
    dark, bright = model.score([noisy(50, 900), noisy(200, 901)], ["a thing number 1"] * 2)
    assert bright > dark + 1


def test_a_training_is_not_done_twice(
    report: RewardReport, folder: Path, preferences: Preferences, pictures: ImageStore, out: Path
) -> None:
    before = (out / "model.safetensors").read_bytes()
    assert task(folder, preferences, pictures, out).run().accuracy == report.accuracy
    assert (out / "model.safetensors").read_bytes() == before


def test_the_second_model_saw_other_votes(report: RewardReport, preferences: Preferences, out: Path) -> None:
    first, second = RewardModel.load(out), RewardModel.load(out / SECOND)
    assert first.metadata["votes"] == len(preferences.examples)
    assert not torch.equal(first.head.weight, second.head.weight)
    assert report.second.value > 0.6


def test_a_model_comes_back_the_same(report: RewardReport, out: Path) -> None:
    model_a, other = RewardModel.load(out), RewardModel.load(out)
    pictures, prompts = [noisy(shade, shade) for shade in (30, 120, 210)], ["x", "y", "z"]
    assert np.array_equal(model_a.score(pictures, prompts), other.score(pictures, prompts))
    pixels = as_tensor(pictures).requires_grad_()
    model_a(torch.nn.functional.interpolate(pixels, (128, 128)), model_a.embed_prompts(prompts)).sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0
    preferred = model_a.metadata["preferred"]
    assert preferred["0.25"] < preferred["0.5"] < preferred["0.9"]


def test_a_picture_of_any_size_is_seen_as_the_model_learned_to_see(report: RewardReport, out: Path) -> None:
    model = RewardModel.load(out)
    small = noisy(120, 0).resize((model.pixels, model.pixels))
    large = small.resize((4 * model.pixels, 4 * model.pixels), Image.Resampling.BICUBIC)
    texts = model.embed_prompts(["a thing"])
    seen = [float(model(as_tensor([picture]), texts)) for picture in (small, large)]
    assert seen[1] == pytest.approx(seen[0], abs=0.1 * model.reward_iqr)
    assert seen[1] == pytest.approx(float(model.score([large], ["a thing"])[0]), abs=0.1 * model.reward_iqr)


def test_bad_input_is_named(out: Path, report: RewardReport, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="reward train"):
        RewardModel.load(tmp_path)
    with pytest.raises(ValueError, match="one prompt a picture"):
        RewardModel.load(out).score([noisy(10, 1)], [])
    (tmp_path / "reward.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        RewardModel.load(tmp_path)


def test_a_backbone_without_words_is_refused(folder: Path, out: Path, report: RewardReport, tmp_path: Path) -> None:
    for whole, load in ((folder / "clip", RewardModel.start), (out, RewardModel.load)):
        shutil.copytree(whole, tmp_path / whole.name, ignore=shutil.ignore_patterns("tokenizer*"))
        with pytest.raises(OSError, match="has no tokenizer"):
            load(tmp_path / whole.name)


def test_too_few_votes_are_told(folder: Path, preferences: Preferences, pictures: ImageStore, tmp_path: Path) -> None:
    few = replace(preferences, examples=preferences.examples[:6])
    with pytest.raises(ValueError, match="collect votes on more prompts"):
        task(folder, few, pictures, tmp_path).run()


def test_the_loss_says_what_voters_said() -> None:
    def loss(left: float, right: float, target: float, *, bad: bool = False) -> float:
        empty = torch.empty(1, 0)
        batch = ChoiceBatch(empty, empty, torch.tensor([float(target)]), torch.tensor([bad]), torch.ones(1))
        return float(choice_loss(torch.tensor([float(left)]), torch.tensor([float(right)]), batch, absolute=0.5))

    assert loss(2, 0, 1) < loss(0, 2, 1)
    assert loss(2, 0, 1) == pytest.approx(loss(0, 2, 0)), "swapping the sides changes nothing"
    assert loss(1, 1, 0.5) < loss(2, 0, 0.5), "a tie wants equal rewards"
    assert loss(-2, -2, 0.5, bad=True) < loss(2, 2, 0.5, bad=True), "both bad wants both low"
    assert loss(0, 0, 1) == pytest.approx(np.log(2) * 1.5)


def test_statistics_are_what_they_are_called() -> None:
    def measure(name: str, colour: tuple[int, int, int]) -> float:
        picture = torch.tensor(colour).float().view(1, 3, 1, 1).expand(1, 3, 16, 16) / 127.5 - 1
        return float(statistics(picture)[0, NAMES.index(name)])

    assert measure("brightness", (255, 255, 255)) == pytest.approx(1)
    assert measure("brightness", (0, 0, 0)) == pytest.approx(0)
    assert measure("saturation", (255, 0, 0)) == pytest.approx(1)
    assert measure("contrast", (90, 90, 90)) == pytest.approx(0, abs=1e-6)
    assert measure("sharpness", (90, 90, 90)) == pytest.approx(0, abs=1e-6)
    plain = as_tensor([noisy(120, 3)])
    blurred = torch.nn.functional.avg_pool2d(plain, 3, 1, 1)
    sharp = NAMES.index("sharpness")
    assert statistics(plain)[0, sharp] > 2 * statistics(blurred)[0, sharp]


def test_a_logistic_regression_finds_the_weights() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((4000, 2))
    targets = (rng.random(4000) < 1 / (1 + np.exp(-(features @ [1.0, -0.5])))).astype(float)
    assert logistic(features, targets) == pytest.approx([1.0, -0.5], abs=0.15)


def test_calibration_of_honest_odds_is_good_and_of_boasting_is_not() -> None:
    rng = np.random.default_rng(0)
    gap = rng.normal(0, 2, 4000)
    left = rng.random(4000) < 1 / (1 + np.exp(-gap))
    assert calibrate(gap, left)[1] < 0.03
    assert calibrate(4 * gap, left)[1] > 0.1


def test_an_interval_over_prompts_is_wider_where_votes_repeat_each_other() -> None:
    hits = np.repeat(np.arange(20) % 2 == 0, 30)
    alone = share_by_prompt(hits, [str(index) for index in range(600)])
    grouped = share_by_prompt(hits, [str(index // 30) for index in range(600)])
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_every_picture_is_looked_at_once(folder: Path, preferences: Preferences, pictures: ImageStore) -> None:
    model = RewardModel.start(folder / "clip")
    some = preferences.examples[:10]
    table = ChoiceTable.of([*some, *some], pictures, model)
    assert len(table.features) == len({(name, one.prompt) for one in some for name in one.pictures})
    assert table.rewards(model).shape == (20, 2)
    with pytest.raises(ValueError, match="no votes to learn from"):
        ChoiceTable.of([], pictures, model)


@pytest.mark.parametrize("file", ["reward.json", "config.json", "model.safetensors", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b'{"model_type": "cl', b"\xff\xfe\x00", None])
def test_a_damaged_file_is_named(
    out: Path, report: RewardReport, tmp_path: Path, file: str, content: bytes | None
) -> None:
    shutil.copytree(out, tmp_path / "model")
    whole = (tmp_path / "model" / file).read_bytes()
    (tmp_path / "model" / file).write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ValueError, match=file) as error:
        RewardModel.load(tmp_path / "model")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ("config.json", "config.json is damaged, or not the configuration of a model"),
        ("reward.json", "reward.json is damaged, or not the description of a reward model"),
    ],
)
def test_an_empty_object_is_no_model(
    out: Path, report: RewardReport, tmp_path: Path, file: str, complaint: str
) -> None:
    shutil.copytree(out, tmp_path / "model")
    (tmp_path / "model" / file).write_text("{}")
    with pytest.raises(ValueError, match=complaint):
        RewardModel.load(tmp_path / "model")


def test_a_missing_file_is_named(out: Path, report: RewardReport, tmp_path: Path) -> None:
    for number, file in enumerate(("config.json", "model.safetensors", "preprocessor_config.json")):
        folder = tmp_path / str(number)
        shutil.copytree(out, folder)
        (folder / file).unlink()
        with pytest.raises(FileNotFoundError, match=file) as error:
            RewardModel.load(folder)
        assert "\n" not in str(error.value)


def test_a_model_of_an_earlier_version_is_refused(out: Path, report: RewardReport, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(out, folder)
    facts = json.loads((folder / "reward.json").read_text())
    (folder / "reward.json").write_text(json.dumps({name: value for name, value in facts.items() if name != "format"}))
    with pytest.raises(ValueError, match=r"of another version of this program; make the reward model anew"):
        RewardModel.load(folder)
    with pytest.raises(ValueError, match="of another version"):
        check_tunable([folder])


def test_a_backbone_is_looked_for_before_any_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_backbone(folder / "clip")
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in ("file", "nowhere/foo", "a/b/c", "no such thing", str(tmp_path / "gone")):
        began = time.monotonic()
        with pytest.raises(OSError, match=name) as error:
            check_backbone(name)
        assert "\n" not in str(error.value)
        assert time.monotonic() - began < 10
    with pytest.raises(OSError, match="neither a CLIP model nor ImageReward"):
        check_backbone(tmp_path)


def test_a_reward_model_has_a_card_for_the_hub(reward: Path) -> None:
    card = ModelCard.load(reward / "README.md")
    assert {"reward-model", "simulated"} <= set(card.data.tags)
    (result,) = card.data.eval_results
    assert result.metric_type == "accuracy"
    assert result.metric_value == pytest.approx(RewardModel.load(reward).metadata["accuracy"], abs=1e-4)
    assert card.data.base_model is None, "a folder of this machine is not named"
    assert str(reward.parent) not in card.content
