"""The folders that commands write: nobody else's file is lost, no file of an earlier run stays beside a new one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hypersd.cli.folders import command_folder, writable_folder
from tests.cli.broken import build_reward
from tests.cli.conftest import Call
from tests.families import write_clip

CAT, OWL = "a big cat on a blue background", "a small owl on a red background"
COMMANDS = {
    "compare": ("compare", CAT, "--models", "hyper"),
    "evaluate": ("evaluate", "--count", "1", "--models", "hyper", "--steps", "1"),
    "filter": ("data", "filter", "--data", "photos", "--aesthetic", "none"),
    "distill": ("distill", "tscd", "--shorten", "0.001"),
    "export": ("votes", "export", "--format", "arena"),
    "reward": ("reward", "train"),
    "feedback": ("feedback", "--reward", "reward"),
    "loop": ("loop", "--votes", "simulate"),
    "train": ("emoji", "train", "--shorten", "0.001"),
    "perceive": ("emoji", "perceive", "--shorten", "0.001"),
    "render": ("emoji", "render", CAT),
}


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_name_is_no_folder(call: Call, tmp_path: Path, command: str, empty: str) -> None:
    complaint = call(*COMMANDS[command], "--out", empty).complaint
    assert "--out: expected the name of a file or folder, not an empty text" in complaint
    assert not names(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "--prompts", "", "--out", "out"),
        ("data", "filter", "--data", "", "--out", "out"),
        ("distill", "tscd", "--data", "", "--out", "out"),
        ("reward", "train", "--votes", "", "--out", "out"),
        ("reward", "score", "", "--reward", "x", "--prompt", "a cat"),
        ("rank", "--votes", ""),
        ("votes", "import", ""),
        ("loop", "--votes", "", "--out", "out"),
    ],
)
def test_an_empty_name_is_nothing_to_read(call: Call, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert "not an empty text" in call(*words).complaint
    assert not names(tmp_path)


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("compare", "hyper.png"),
        ("compare", "grid.png"),
        ("compare", "comparison.json"),
        ("evaluate", "metrics.csv"),
        ("evaluate", "pictures.csv"),
        ("evaluate", "grid-0000.png"),
        ("distill", "segments-8.safetensors"),
        ("distill", "segments-8/log.jsonl"),
        ("export", "README.md"),
        ("export", "validation.parquet"),
        ("reward", "model.safetensors"),
        ("reward", "report.md"),
        ("reward", "config.json"),
        ("feedback", "hyper/adapter.safetensors"),
        ("loop", "round-1/report.md"),
        ("train", "family/model_index.json"),
        ("perceive", "perception/model.safetensors"),
        ("render", "0000.png"),
        ("render", "scenes.json"),
    ],
)
def test_somebody_elses_file_is_named_and_left_alone(call: Call, tmp_path: Path, command: str, file: str) -> None:
    mine = tmp_path / "out" / file
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    if command == "feedback":  # its files are looked at before the folder is
        write_clip(tmp_path / "clip")
        build_reward(tmp_path / "reward", tmp_path / "clip")
    complaint = call(*COMMANDS[command], "--out", "out").complaint
    assert complaint.startswith("out contains ")
    assert file.partition("/")[0] in complaint
    assert complaint.endswith("choose another folder")
    assert mine.read_text() == "mine"
    assert names(tmp_path / "out") == {file}


def test_a_new_comparison_leaves_nothing_of_the_one_before(call: Call, tmp_path: Path) -> None:
    assert call("compare", CAT, "--models", "base,hyper", "--steps", "1,2", "--out", "out").status == 0
    assert {"base-2.png", "hyper-1.png", "hyper-2.png"} <= names(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert call("compare", OWL, "--models", "turbo", "--out", "out").status == 0
    assert names(tmp_path / "out") == {"turbo.png", "grid.png", "comparison.json", "notes.txt"}
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["prompt"] == OWL


def test_fewer_prompts_leave_no_folders_of_the_others(call: Call, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text(f"{CAT}\n{OWL}\n{CAT}\n")
    words = ("compare", "--prompts", "prompts.txt", "--models", "hyper", "--out", "out")
    assert call(*words).status == 0
    (tmp_path / "prompts.txt").write_text(f"{OWL}\n")
    assert call(*words).status == 0
    assert names(tmp_path / "out") == {f"0000/{file}" for file in ("hyper.png", "grid.png", "comparison.json")}
    assert not (tmp_path / "out" / "0001").exists()


def test_fewer_scenes_leave_none_of_the_others(call: Call, tmp_path: Path) -> None:
    for count in (3, 2):
        assert call("emoji", "render", "--count", str(count), "--side", "32", "--out", "out").status == 0
    assert names(tmp_path / "out") == {"0000.png", "0001.png", "scenes.json"}


@pytest.mark.parametrize(
    ("command", "record", "content", "old"),
    [
        ("compare", "comparison.json", {"runs": [{"file": "base.png"}, {"file": None}]}, "base.png"),
        ("emoji render", "scenes.json", {"scenes": [{"file": "0007.png"}]}, "0007.png"),
    ],
)
def test_a_record_that_lists_no_file_of_that_name_gives_nothing_away(
    tmp_path: Path, command: str, record: str, content: dict[str, object], old: str
) -> None:
    (tmp_path / "out").mkdir()
    for name, text in ((record, json.dumps(content)), (old, "old"), ("other.png", "mine")):
        (tmp_path / "out" / name).write_text(text)
    with (
        pytest.raises(ValueError, match=r"contains other\.png"),
        command_folder(tmp_path / "out", command, ["other.png"]),
    ):
        pass
    with command_folder(tmp_path / "out", command, ["new.png", record]) as out:
        for name in ("new.png", record):
            (out / name).unlink(missing_ok=True)
            (out / name).write_text("new")
    assert names(tmp_path / "out") - {".hypersd.json"} == {"new.png", record, "other.png"}


@pytest.mark.parametrize(
    ("command", "signs", "names_of"),
    [
        ("distill", "segments-8/state/state.json", ["segments-8", "segments-8.safetensors"]),
        ("reward train", "reward.json", ["report.md", "model.safetensors"]),
        ("feedback", "hyper/feedback.json", ["*/adapter.safetensors"]),
        ("loop", "round-1/plan.json", ["round-[0-9]*"]),
        ("emoji train", "family/world.json", ["family", "base"]),
        ("emoji perceive", "perception/config.json", ["perception"]),
    ],
)
def test_what_an_older_release_left_can_be_gone_on_with(
    tmp_path: Path, command: str, signs: str, names_of: list[str]
) -> None:
    for name in (signs, "hyper/adapter.safetensors", "report.md"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("{}")
    before = names(tmp_path / "out")
    with command_folder(tmp_path / "out", command, names_of, keep=True):
        pass
    assert names(tmp_path / "out") == before


def test_a_folder_is_made_with_what_is_above_it(tmp_path: Path) -> None:
    folder = writable_folder(tmp_path / "one" / "two")
    assert folder.is_dir()
    assert not list(folder.iterdir())


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="cannot write to"):
            writable_folder(folder)


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(OSError, match="cannot write to /proc/hypersd"):
        writable_folder(Path("/proc/hypersd"))
