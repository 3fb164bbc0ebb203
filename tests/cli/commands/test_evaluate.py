"""`evaluate`, on the family that is shipped."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from hypersd.evaluate.picture_metrics import ImageMetrics, read_pictures
from hypersd.evaluate.reference_pictures import check_reference
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.models.families.embedded import EMOJI
from hypersd.models.families.sd15 import SD15
from hypersd.scorers import inception
from tests.cli.conftest import Call
from tests.families import emoji_family, hub_cache, write_clip
from tests.processes import Processes, hypersd
from tests.scorers.inception_weights import write_inception
from tests.scorers.published_scorers import fill
from tests.training.sources.conftest import write_folder

PROMPT = "a big owl on a pink background"


def test_an_evaluation_leaves_metrics_a_table_and_figures(call: Call, tmp_path: Path) -> None:
    words = ("--models", "hyper,turbo", "--steps", "1", "--count", "2", "--out", tmp_path, "--json")
    rows = call("evaluate", *words).document["rows"]
    assert [(row["model"], row["steps"], row["n"]) for row in rows] == [("hyper", 1, 2), ("turbo", 1, 2)]
    with (tmp_path / "metrics.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {"model", "steps", "object", "pair", "background", "match", "clip", "seconds", "n"} <= set(lines[0])
    assert lines[0].keys() == rows[0].keys()
    assert [float(line["match"]) for line in lines] == [float(f"{row['match']:.6g}") for row in rows]
    assert all(row["match_low"] <= row["match"] <= row["match_high"] for row in rows)
    assert [(row["reward"], row["diversity"], row["fid"]) for row in rows] == [(None, None, None)] * 2
    assert (tmp_path / "table.md").read_text().count("\n| ") == 2
    assert list(tmp_path.glob("match-against-steps.*"))
    assert len(list(tmp_path.glob("grid-*.png"))) == 2


def test_several_seeds_show_diversity_and_enough_pictures_a_distance(call: Call, tmp_path: Path) -> None:
    words = ("--models", "turbo", "--steps", "1", "--count", "4", "--seed", "5", "--seeds", "8", "--out", tmp_path)
    document = call("evaluate", *words, "--json").document
    (row,) = document["rows"]
    assert (document["seed"], document["seeds"], row["n"], row["prompts"]) == (5, 8, 32, 4)
    assert 0 < row["diversity_low"] <= row["diversity"] <= row["diversity_high"] < 1
    assert 0 < row["fid_floor"] < row["fid"]
    pictures = read_pictures(tmp_path / "pictures.csv")
    seeds = {
        prompt: [one.seed for one in pictures if one.prompt == prompt] for prompt in (one.prompt for one in pictures)
    }
    assert list(seeds.values()) == [list(range(5 + number, 13 + number)) for number in range(4)]
    assert np.mean([one.scores["diversity"] for one in pictures]) == pytest.approx(row["diversity"], rel=1e-4)
    assert "n = 32 pictures" in (tmp_path / "table.md").read_text()
    assert len(list(tmp_path.glob("grid-*.png"))) == 4


def test_prompts_may_come_from_a_file(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text(f"{PROMPT}\n")
    words = ("--models", "hyper", "--steps", "1", "--prompts", file, "--out", tmp_path / "out", "--json")
    (only,) = call("evaluate", *words).document["rows"]
    assert only["n"] == 1
    assert only["pair"] is None
    assert 0 <= only["match"] <= 1


def test_a_reward_model_must_be_there(call: Call, tmp_path: Path) -> None:
    nowhere, out = tmp_path / "nowhere", tmp_path / "out"
    complaint = call("evaluate", "--models", "hyper", "--reward", nowhere, "--out", out).complaint
    assert complaint == f"there is no reward model in {nowhere}: there is no such folder"
    assert not out.exists()
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        RewardModel.load(tmp_path / "file")


def test_metrics_may_be_chosen(call: Call, tmp_path: Path) -> None:
    words = ("evaluate", "--models", "turbo", "--steps", "1", "--count", "1", "--out", tmp_path / "out", "--metrics")
    (row,) = call(*words, "match", "--json").document["rows"]
    assert "match_low" in row
    assert not {"object", "clip", "diversity"} & row.keys()
    assert "unknown metric 'beauty'; choose from: object" in call(*words, "beauty").complaint
    assert "name its folder with --reward" in call(*words, "match,reward").complaint
    assert "add it to --metrics" in call(*words, "match", "--reward", tmp_path).complaint


def test_several_processes_share_the_prompts_and_one_joins(call: Call, processes: Processes, tmp_path: Path) -> None:
    words = ("evaluate", "--models", "turbo", "--steps", "1", "--count", "3", "--seeds", "2", "--out")
    both = processes.run_together(2, hypersd, *words, tmp_path / "two")
    assert [done.returncode for done in both] == [0, 0], both
    for printed in ("".join(done.stdout for done in both), call(*words, tmp_path / "one").out):
        assert printed.count("| turbo |") == 1
    shared, alone = (read_pictures(tmp_path / name / "pictures.csv") for name in ("two", "one"))
    assert [timeless(picture) for picture in shared] == [timeless(picture) for picture in alone]


def timeless(picture: ImageMetrics) -> str:
    return repr(replace(picture, seconds=0.0))  # NaN is not equal to itself, but is written the same


def test_what_is_killed_goes_on_where_it_was(call: Call, processes: Processes, tmp_path: Path) -> None:
    words = ("evaluate", "--models", "turbo", "--steps", "1", "--count", "12", "--out")
    out = tmp_path / "killed"
    process = processes.start(hypersd, *words, out).process
    end = time.monotonic() + 120
    while not (out / "measured" / "00001.safetensors").exists() and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.join()
    kept = {file: file.stat().st_mtime_ns for file in sorted((out / "measured").glob("*.safetensors"))}
    assert 2 <= len(kept) < 12
    assert call(*words, out, "--resume").status == 0
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert call(*words, tmp_path / "unbroken").status == 0
    killed, unbroken = (read_pictures(folder / "pictures.csv") for folder in (out, tmp_path / "unbroken"))
    assert [timeless(picture) for picture in killed] == [timeless(picture) for picture in unbroken]
    complaint = call(*words, out, "--resume", "--seed", "1").complaint
    assert complaint.startswith(f"cannot resume: {out} was measured with other prompts")


def test_an_adapter_of_the_user_s_is_run_by_a_recipe_that_is_stated(call: Call, root: Path, tmp_path: Path) -> None:
    file = root / "assets" / "emoji-xl" / "adapters" / "turbo.safetensors"
    words = ("evaluate", "--steps", "1", "--count", "1", "--adapter", file, "--out", tmp_path, "--json")
    by_turbo = call(*words, "--models", "turbo", "--like", "turbo")
    turbo, adapter = by_turbo.document["rows"]
    assert (turbo["model"], adapter["model"]) == ("turbo", "adapter")
    assert adapter["match"] == turbo["match"], "the same weights by the same recipe"
    assert "adapter: turbo.safetensors, run as Turbo is." in by_turbo.err
    (alone,) = call(*words).document["rows"]
    assert alone["match"] != turbo["match"], "at t = 800, as Hyper-SD's first step is"
    models = json.loads((tmp_path / "evaluation.json").read_text())["models"]
    assert [(model["model"], model["scheduler"]["name"]) for model in models] == [("adapter", "LCMScheduler")]


def test_an_adapter_is_looked_at_before_any_work(call: Call, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "no-such.safetensors" in call("evaluate", "--adapter", "no-such.safetensors", "--out", out).complaint
    other = tmp_path / "other.safetensors"
    save_file({"unet.nothing.lora_A.weight": torch.ones(2, 3), "unet.nothing.lora_B.weight": torch.ones(3, 2)}, other)
    assert str(other) in call("evaluate", "--adapter", other, "--out", out).complaint
    file = root / "assets" / "emoji-xl" / "adapters" / "turbo.safetensors"
    for words, complaint in (
        (("--adapter", file, "--like", "dall-e"), "unknown model 'dall-e'"),
        (("--adapter", file, "--steps", "9"), "adapter does not run at 9 steps"),
        (("--like", "hyper"), "--like says how an adapter is run"),
    ):
        assert complaint in call("evaluate", *words, "--out", out).complaint
    assert not out.exists()


def test_a_family_of_the_hub_is_measured_by_published_models(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "hub"
    hub_cache(SD15, cache)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = ("evaluate", "--family", "sd15", "--models", "hyper,base", "--steps", "2", "--count", "2", "--seeds", "2")
    complaint = call(*words, "--out", tmp_path / "out").complaint
    assert complaint.startswith("config.json of openai/clip-vit-base-patch32 is not downloaded")
    assert not (tmp_path / "out").exists()
    fill(cache)
    rows = call(*words, "--out", tmp_path / "out", "--json").document["rows"]
    assert [(row["model"], row["steps"], row["n"], row["prompts"]) for row in rows] == [
        ("base", 2, 4, 2),
        ("hyper", 2, 4, 2),
    ]
    for name in ("clip", "aesthetic", "image_reward", "pick", "hps", "diversity"):
        assert all(row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] for row in rows)
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| model | steps | CLIP | Aes | ImageReward | Pick | HPSv2 | reward | diversity |" in table
    assert (
        "prompts of its own"
        in call("evaluate", "--family", "sd15", "--count", "5000", "--out", tmp_path / "o").complaint
    )


def test_a_family_of_the_hub_has_an_fid_from_reference_pictures(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "hub"
    hub_cache(SD15, cache)
    fill(cache)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    real = write_folder(tmp_path / "real", {f"{number}.png": "any" for number in range(32)})
    out = tmp_path / "out"
    words = ("evaluate", "--family", "sd15", "--models", "hyper", "--steps", "2", "--metrics", "clip")
    words = (*words, "--count", "16", "--seeds", "2", "--reference", real)
    complaint = call(*words, "--out", out).complaint
    assert "weights-inception-2015-12-05-6726825d.pth, the network of FID, is not downloaded" in complaint
    assert not out.exists()
    monkeypatch.setattr(inception, "URL_INCEPTION_V3", write_inception(tmp_path / "torch"))
    (row,) = call(*words, "--out", out, "--json").document["rows"]
    assert row["n"] == 32
    assert row["fid"] > 0
    assert row["fid_floor"] is None
    note = f"FID is the Fréchet distance of n = 32 pictures to the 32 pictures in {real}, in the features of Inception"
    assert note in (out / "table.md").read_text()
    assert json.loads((out / "evaluation.json").read_text())["reference"]
    (real / "0.png").write_bytes((real / "1.png").read_bytes() + b" ")
    assert "was measured with other reference" in call(*words, "--resume", "--out", out).complaint


def test_reference_pictures_are_checked_before_any_work(call: Call, tmp_path: Path) -> None:
    few = write_folder(tmp_path / "few", {f"{number}.png": "any" for number in range(31)})
    out = ("--out", tmp_path / "out")
    assert "scenes of its own" in call("evaluate", "--reference", few, *out).complaint
    for folder, complaint in ((few, "holds 31 pictures, and FID needs 32"), (tmp_path / "no", "No such folder")):
        with pytest.raises((ValueError, OSError), match=complaint):
            check_reference(folder)


def test_the_paper_s_tables_and_figures_are_made_by_one_command(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tiny"
    emoji_family(EMOJI, folder)
    write_clip(folder / "clip")
    monkeypatch.setenv("HYPERSD_EMOJI", str(folder))
    words = ("evaluate", "tables", "--count", "1", "--out", tmp_path / "out")
    document = call(*words, "--json").document
    assert document["command"].startswith("python -m hypersd evaluate tables --family emoji --count 1 --seed 0")
    assert {(row["model"], row["steps"]) for row in document["rows"]} >= {("base", 25), ("hyper", 4), ("turbo", 1)}
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {f"table-{number}.{ending}" for number in range(1, 6) for ending in ("csv", "md", "tex")} <= names
    assert {"figure-1.png", "figure-7.png", "figure-8.png", "figure-9.png", "figure-10.png", "metrics.csv"} <= names
    measured = tmp_path / "out" / "measured" / "00000.safetensors"
    before = measured.stat().st_mtime_ns
    again = call(*words, "--resume")
    assert "not trained" in again.out
    assert measured.stat().st_mtime_ns == before
    assert "leave out --models" in call(*words, "--models", "hyper").complaint
    assert "leave out --base-first" in call(*words, "--base-first", "1").complaint
    assert "Without Twemoji: not trained." in (tmp_path / "out" / "figure-10.md").read_text()
