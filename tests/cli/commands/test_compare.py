"""`compare`, on a tiny family or, where its words or its weights count, on the one that is shipped."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hypersd.cli.options import DEFAULT_FAMILY
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES
from hypersd.models.registry import Availability as Found
from hypersd.utils.files import write_json
from hypersd.utils.outputs import MANIFEST
from tests.cli.conftest import Call
from tests.processes import Processes, hypersd

CAT = "a big cat on a blue background"
RUN = {"model", "steps", "calls", "guidance_scale", "seconds", "file"}
RECIPE = {"scheduler", "eta", "timesteps", "weights", "backend", "warnings"}
CONTEXT = {"device", "dtype", "base", "versions", "unread", "unknown", "unused", "warnings"}


@pytest.mark.usefixtures("tiny")
def test_a_comparison_leaves_pictures_a_grid_and_a_record(call: Call, tmp_path: Path) -> None:
    document = call("compare", CAT, "--models", "base,hyper", "--seed", "7", "--out", tmp_path, "--json").document
    assert document == json.loads((tmp_path / "comparison.json").read_text())
    assert {key: document[key] for key in ("prompt", "seed", "family")} == {
        "prompt": CAT,
        "seed": 7,
        "family": DEFAULT_FAMILY,
    }
    assert sorted(run["file"] for run in document["runs"]) == ["base.png", "hyper.png"]
    pixels = FAMILIES[DEFAULT_FAMILY].pixels
    for run in document["runs"]:
        assert set(run) == RUN | RECIPE
        assert run["calls"] == run["steps"] * (2 if run["guidance_scale"] > 1 else 1)
        assert run["seconds"] > 0
        with Image.open(tmp_path / run["file"]) as picture:
            assert picture.size == (pixels, pixels)
    assert {file.name for file in tmp_path.iterdir()} == {"base.png", "hyper.png", "grid.png", "comparison.json"}


@pytest.mark.usefixtures("tiny")
def test_all_models_run_when_none_is_named(call: Call, tmp_path: Path) -> None:
    document = call("compare", CAT, "--steps", "4", "--out", tmp_path, "--json").document
    assert {run["model"] for run in document["runs"]} <= {spec.name for spec in FAMILIES[DEFAULT_FAMILY].specs}
    assert {run["model"] for run in document["runs"]} >= {"base", "hyper", "lightning", "turbo"}


@pytest.mark.usefixtures("tiny")
def test_several_step_counts_are_told_apart_by_name(call: Call, tmp_path: Path) -> None:
    document = call("compare", CAT, "--models", "hyper", "--steps", "2,1", "--out", tmp_path, "--json").document
    assert sorted(run["file"] for run in document["runs"]) == ["hyper-1.png", "hyper-2.png"]
    assert (tmp_path / "hyper-1.png").exists()
    assert not (tmp_path / "hyper.png").exists()


@pytest.mark.usefixtures("tiny")
def test_a_file_of_prompts_gives_a_folder_each(call: Call, tmp_path: Path) -> None:
    file, out = tmp_path / "prompts.txt", tmp_path / "out"
    file.write_text(f"{CAT}\n\nowl\n")
    words = ("--prompts", file, "--models", "hyper", "--steps", "1", "--seed", "3", "--out", out, "--json")
    documents = call("compare", *words).document
    assert [document["prompt"] for document in documents] == [CAT, "owl"]
    assert {folder.name for folder in out.iterdir()} == {"0000", "0001"}
    for index, document in enumerate(documents):
        folder = out / f"{index:04d}"
        assert json.loads((folder / "comparison.json").read_text()) == document
        assert {each.name for each in folder.iterdir()} == {"hyper.png", "grid.png", "comparison.json"}
        assert document["seed"] == 3


@pytest.mark.usefixtures("tiny")
def test_the_same_seed_gives_the_same_picture_and_another_another(call: Call, tmp_path: Path) -> None:
    def picture(name: str, seed: int) -> np.ndarray:
        out = tmp_path / name
        call("compare", CAT, "--models", "hyper", "--steps", "1", "--seed", seed, "--out", out, "--json")
        return np.asarray(Image.open(out / "hyper.png"))

    assert np.array_equal(picture("one", 1), picture("again", 1))
    assert not np.array_equal(picture("one", 1), picture("two", 2))


@pytest.mark.usefixtures("tiny")
def test_without_json_a_table_is_printed(call: Call, tmp_path: Path) -> None:
    result = call("compare", CAT, "--models", "hyper", "--steps", "1", "--out", tmp_path)
    assert result.status == 0
    title, header, row = result.out.splitlines()
    assert title == f"{CAT} (seed 0)"
    assert header.split() == ["model", "steps", "calls", "guidance", "seconds", "file"]
    assert row.split()[0] == "hyper"


def test_steps_that_no_chosen_model_has_are_refused(call: Call, tmp_path: Path) -> None:
    complaint = call("compare", CAT, "--models", "hyper", "--steps", "17", "--out", tmp_path).complaint
    assert "hyper" in complaint or "17" in complaint


def test_a_model_that_cannot_be_run_here_says_why(call: Call, tmp_path: Path) -> None:
    """The tests have no network and an empty cache, so published weights are not available."""
    words = ("compare", CAT, "--family", "sdxl", "--models", "hyper", "--out", tmp_path)
    assert call(*words).complaint.startswith("hyper cannot be run here: ")


@pytest.mark.usefixtures("tiny")
def test_what_cannot_be_run_is_left_out_when_nothing_is_named(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_hyper(_: object, card: object, __: Machine, ___: int | None = None) -> Found:
        here = getattr(card, "name", "") == "hyper"
        return Found(available=here, reason="" if here else "it is raining")

    monkeypatch.setattr("hypersd.sampling.runs.availability", only_hyper)
    result = call("compare", CAT, "--steps", "1", "--out", tmp_path, "--json")
    assert [run["model"] for run in result.document["runs"]] == ["hyper"]
    assert "without base: it is raining" in result.err


def test_standard_output_is_one_json_document(processes: Processes, tmp_path: Path) -> None:
    done = processes.run(hypersd, "compare", CAT, "--models", "hyper", "--steps", "1", "--out", tmp_path, "--json")
    assert set(json.loads(done.stdout)) == {"prompt", "seed", "family", "runs"} | CONTEXT
    assert "Traceback" not in done.stderr


def test_the_record_and_the_picture_tell_the_whole_recipe(call: Call, tmp_path: Path) -> None:
    words = ("compare", CAT, "--models", "hyper", "--steps", "4", "--seed", "7", "--out", tmp_path, "--json")
    document = call(*words).document
    (run,) = document["runs"]
    family = FAMILIES[DEFAULT_FAMILY]
    recipe = family.spec("hyper").recipe(4)
    assert run["scheduler"]["name"] == recipe.scheduler.name == "TCDScheduler"
    assert run["eta"] == recipe.eta
    assert run["timesteps"] == [999, 759, 499, 259]
    file = Path(str(family.folder)) / str(recipe.weights.file)
    assert run["weights"]["file"] == recipe.weights.file
    assert run["weights"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert document["dtype"] == "float32"
    assert document["versions"].keys() >= {"hypersd", "torch", "diffusers"}
    texts = Image.open(tmp_path / "hyper.png").text
    assert (texts["prompt"], texts["seed"], texts["model"], texts["steps"]) == (CAT, "7", "emoji/hyper", "4")
    whole = json.loads(texts["hypersd"])
    assert {key: whole[key] for key in run if key not in {"seconds", "file"}} == {
        key: value for key, value in run.items() if key not in {"seconds", "file"}
    }
    assert whole["versions"] == document["versions"]
    prompt, line = texts["parameters"].splitlines()
    assert prompt == CAT
    fields = dict(field.split(": ") for field in line.split(", "))
    assert (fields["Steps"], fields["Sampler"], fields["CFG scale"], fields["Seed"]) == ("4", "TCD", "1", "7")
    assert run["weights"]["sha256"].startswith(fields["Model hash"])
    assert json.loads(Image.open(tmp_path / "grid.png").text["hypersd"])["runs"] == [run]


@pytest.mark.usefixtures("tiny")
def test_a_prompt_in_any_script_is_in_the_picture(call: Call, tmp_path: Path) -> None:
    prompt = "café 猫 🐱, “cat” on blue"
    call("compare", prompt, "--models", "turbo", "--steps", "1", "--out", tmp_path)
    assert Image.open(tmp_path / "turbo.png").text["prompt"] == prompt


def test_words_that_are_not_read_known_or_drawn_are_named(call: Call, tmp_path: Path) -> None:
    prompt = f"a big blue cat and a dinosaur, {'very ' * 20}on a white background"
    result = call("compare", prompt, "--models", "turbo", "--steps", "1", "--out", tmp_path, "--json")
    document = result.document
    assert document["unread"].endswith("very on a white background")
    assert document["unknown"] == ["dinosaur", "very"]
    assert document["unused"] == ["blue"]
    sentences = " ".join(document["warnings"])
    for said in ("not read: “", "on a white background”", "“dinosaur”", "“blue”"):
        assert said in sentences
        assert said in result.err
    plain = call("compare", CAT, "--models", "turbo", "--steps", "1", "--out", tmp_path, "--json").document
    assert not plain["warnings"]


SERIES = ("--models", "turbo", "--steps", "1")


@pytest.fixture
def interrupted(call: Call, tiny: None, tmp_path: Path) -> Path:
    """A comparison of three prompts that ended after the first, in the middle of the second.

    A run that is stopped leaves a manifest of what no record tells yet.
    """
    prompts, out = tmp_path / "prompts.txt", tmp_path / "out"
    prompts.write_text(f"{CAT}\n# the others\nowl\nfox\n")
    assert call("compare", "--prompts", prompts, *SERIES, "--out", out).status == 0
    (out / "0001" / "comparison.json").unlink()
    (out / "0001" / "turbo.png").write_bytes((out / "0001" / "turbo.png").read_bytes()[:500])
    shutil.rmtree(out / "0002")
    write_json(out / MANIFEST, {"made_by": {"compare": ["0001/grid.png", "0001/turbo.png"]}})
    return out


def test_an_interrupted_comparison_goes_on_where_it_stopped(call: Call, interrupted: Path, tmp_path: Path) -> None:
    kept = (interrupted / "0000" / "turbo.png").stat().st_mtime_ns
    words = ("compare", "--prompts", tmp_path / "prompts.txt", *SERIES, "--out", interrupted, "--resume", "--json")
    documents = call(*words).document
    assert [document["prompt"] for document in documents] == [CAT, "owl", "fox"]
    assert (interrupted / "0000" / "turbo.png").stat().st_mtime_ns == kept
    for folder in ("0001", "0002"):
        Image.open(interrupted / folder / "turbo.png").load()
        assert (interrupted / folder / "comparison.json").exists()
    assert call(*words).document == documents, "nothing is left to do"


def test_a_picture_that_is_lost_or_damaged_is_drawn_again(call: Call, interrupted: Path, tmp_path: Path) -> None:
    words = ("compare", "--prompts", tmp_path / "prompts.txt", *SERIES, "--out", interrupted, "--resume", "--json")
    (interrupted / "0000" / "turbo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert len(call(*words).document) == 3
    Image.open(interrupted / "0000" / "turbo.png").load()


@pytest.mark.parametrize(
    "changed",
    [
        {"--seed": "2", "said": "seed (0, not 2)"},
        {"--models": "hyper", "said": "models"},
        {"--steps": "2", "said": "models"},
        {"--prompts": "other.txt", "said": "prompt"},
        {"--prompts": "fewer.txt", "said": "fewer.txt has 1 prompts"},
    ],
)
def test_a_comparison_is_not_resumed_with_other_settings(
    call: Call, interrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.txt").write_text("a small cat on a blue background\nowl\nfox\n")
    (tmp_path / "fewer.txt").write_text(f"# nothing else\n{CAT}\n")
    before = {file: file.read_bytes() for file in interrupted.rglob("*") if file.is_file()}
    given = {"--prompts": "prompts.txt", "--models": "turbo", "--steps": "1", "--out": str(interrupted), **changed}
    said = given.pop("said")
    complaint = call("compare", "--resume", *(word for option in given.items() for word in option)).complaint
    assert "cannot resume" in complaint
    assert said in complaint
    assert {file: file.read_bytes() for file in interrupted.rglob("*") if file.is_file()} == before


def test_weights_that_have_changed_are_another_setting(call: Call, interrupted: Path, tmp_path: Path) -> None:
    record = json.loads((interrupted / "0000" / "comparison.json").read_text())
    record["runs"][0]["weights"]["sha256"] = "0" * 64
    (interrupted / "0000" / "comparison.json").write_text(json.dumps(record))
    words = ("compare", "--prompts", tmp_path / "prompts.txt", *SERIES, "--out", interrupted, "--resume")
    assert "weights of turbo" in call(*words).complaint


@pytest.mark.usefixtures("tiny")
def test_the_base_may_take_the_first_steps(call: Call, tmp_path: Path) -> None:
    words = ("compare", "a big cat on a blue background", "--models", "hyper", "--steps", "2", "--out")
    (plain,) = call(*words, tmp_path / "plain", "--json").document["runs"]
    (begun,) = call(*words, tmp_path / "begun", "--base-first", "1", "--json").document["runs"]
    assert (plain["calls"], begun["calls"]) == (2, 3)
    assert "base_first" not in plain
    assert begun["base_first"] == 1
    assert (tmp_path / "plain" / "hyper.png").read_bytes() != (tmp_path / "begun" / "hyper.png").read_bytes()
    assert "base_first of hyper (1, not 0)" in call(*words, tmp_path / "begun", "--resume").complaint
    complaint = call(*words, tmp_path / "none", "--base-first", "2").complaint
    assert complaint == "hyper does not run at 2 steps; choose from: 4, 8"


@pytest.mark.usefixtures("tiny")
def test_a_picture_with_parameters_can_be_made_again_from_its_record(call: Call, tmp_path: Path) -> None:
    given = ("--eta", "0.3", "--strength", "0.7", "--size", "160x128", "--count", "2")
    words = ("compare", CAT, "--models", "hyper", "--steps", "4", "--seed", "7", *given)
    document = call(*words, "--out", tmp_path / "first", "--json").document
    assert document["parameters"] == {"eta": 0.3, "strength": 0.7, "size": [160, 128]}
    assert document["count"] == 2
    assert [(run["file"], run["seed"]) for run in document["runs"]] == [
        ("hyper-seed-7.png", 7),
        ("hyper-seed-8.png", 8),
    ]
    for run in document["runs"]:
        assert (run["eta"], run["weights"]["scale"], run["size"]) == (0.3, 0.7, [160, 128])
    with Image.open(tmp_path / "first" / "hyper-seed-8.png") as picture:
        assert picture.size == (160, 128)
        fields = dict(field.split(": ") for field in picture.text["parameters"].splitlines()[-1].split(", "))
        assert (fields["Seed"], fields["Size"], fields["Eta"]) == ("8", "160x128", "0.3")
        assert fields["LoRA strength"] == "0.7"
        whole = json.loads(picture.text["hypersd"])
        first = np.asarray(picture)
    again = ["--models", whole["model"], "--steps", whole["steps"], "--seed", whole["seed"], "--eta", whole["eta"]]
    again += ["--strength", whole["weights"]["scale"], "--size", "x".join(map(str, whole["size"]))]
    call("compare", whole["prompt"], *again, "--out", tmp_path / "again", "--json")
    with Image.open(tmp_path / "again" / "hyper.png") as picture:
        assert np.array_equal(np.asarray(picture), first)


@pytest.mark.usefixtures("tiny")
def test_a_negative_prompt_is_drawn_and_recorded(call: Call, tmp_path: Path) -> None:
    words = ("compare", CAT, "--models", "base", "--steps", "2", "--out")
    plain = call(*words, tmp_path / "plain", "--json").document["runs"][0]
    given = call(*words, tmp_path / "given", "--negative", "dog", "--guidance", "5", "--json").document["runs"][0]
    assert "negative_prompt" not in plain
    assert (given["negative_prompt"], given["guidance_scale"]) == ("dog", 5)
    with Image.open(tmp_path / "given" / "base.png") as picture, Image.open(tmp_path / "plain" / "base.png") as other:
        assert picture.text["parameters"].splitlines()[1] == "Negative prompt: dog"
        assert not np.array_equal(np.asarray(picture), np.asarray(other))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (("--eta", "2"), "eta must be a number from 0 to 1"),
        (("--eta", "nan"), "--eta: expected a number"),
        (("--strength", "0"), "strength must be a number above 0"),
        (("--strength", "much"), "--strength: expected a number"),
        (("--guidance", "7"), "hyper at 1 step takes no guidance: .* choose base"),
        (("--negative", "dog"), "hyper at 1 step follows no negative prompt"),
        (("--negative", ""), "negative prompt is empty"),
        (("--size", "100"), "cannot draw 100x100 pixels; choose sides from 64 to 256 that are multiples of 32"),
        (("--size", "128x"), "--size: a size is a number of pixels"),
        (("--size", "9999"), "sides must be up to 2048 pixels, not 9999x9999"),
        (("--count", "0"), "--count: the number of pictures must be a whole number from 1 to 8"),
        (("--count", "2", "--seed", "4294967295"), "seeds up to 4294967296"),
    ],
)
def test_a_parameter_that_is_refused_stops_the_command_before_its_work(
    call: Call, tmp_path: Path, given: tuple[str, ...], complaint: str
) -> None:
    words = ("compare", CAT, "--models", "hyper", "--steps", "1", *given, "--out", tmp_path / "out")
    assert re.search(complaint, call(*words).complaint)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("tiny")
def test_a_batch_goes_on_only_with_the_same_parameters(call: Call, tmp_path: Path) -> None:
    words = ("compare", CAT, "--models", "hyper", "--steps", "4", "--out", tmp_path, "--json")
    first = call(*words, "--eta", "0.5", "--count", "2").document
    assert call(*words, "--eta", "0.5", "--count", "2", "--resume").document == first
    assert (
        "another set of parameters ({'eta': 0.5}, not {'eta': 0.6})"
        in call(*words, "--eta", "0.6", "--count", "2", "--resume").err
    )
    assert "another count (2, not None)" in call(*words, "--eta", "0.5", "--resume").err
