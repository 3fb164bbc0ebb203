"""Bad input of any kind: one clear line, status 2, nothing on standard output, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call

CAT = "a big cat on a blue background"
COMPARE = ("compare", CAT)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "COMMAND"),
        (("paint",), "invalid choice: 'paint'"),
        (("models", "--family", "sdxxl"), "sdxxl"),
        (("models", "--jason"), "--jason"),
        (("compare", ""), "prompt"),
        (("compare", "   "), "prompt"),
        (("compare", "x" * 10_000), "2000"),
        (("compare", "a\x00cat"), "control"),
        (("compare", "a cat\nan owl"), "control"),
        (("compare", "a \x1b[31mred cat"), "control"),
        (("compare",), "prompt"),
        ((*COMPARE, "--prompts", "prompts.txt"), "prompt"),
        ((*COMPARE, "--seed", "abc"), "seed"),
        ((*COMPARE, "--seed", "1" + "0" * 30), "seed"),
        ((*COMPARE, "--seed", "-1"), "seed"),
        ((*COMPARE, "--seed", "1.5"), "seed"),
        ((*COMPARE, "--seed", ""), "seed"),
        ((*COMPARE, "--steps", "0"), "whole number from 1"),
        ((*COMPARE, "--steps", "four"), "whole number from 1"),
        ((*COMPARE, "--steps", "999999999999999999999999"), "whole number from 1"),
        ((*COMPARE, "--models", "base,dall-e"), "dall-e"),
        ((*COMPARE, "--models", ""), "separated by commas"),
        ((*COMPARE, "--models", "base,base"), "twice"),
        ((*COMPARE, "--family", "sdxxl"), "sdxxl"),
        (("compare", "--prompts", "no-such-file.txt"), "no-such-file.txt: No such file"),
        (("evaluate", "--models", "dall-e"), "dall-e"),
        (("evaluate", "--count", "0"), "count must be a whole number from 1"),
        (("evaluate", "--steps", "0"), "whole number from 1"),
        (("evaluate", "--prompts", "no-such-file.txt"), "no-such-file.txt: No such file"),
        (("evaluate", "--seeds", "0"), "seeds must be a whole number from 1 to 64"),
        (("evaluate", "--seeds", "65"), "seeds must be a whole number from 1 to 64"),
        (("evaluate", "--reward", "no-such-folder"), "no reward model in no-such-folder"),
        (("distill", "magic"), "invalid choice: 'magic'"),
        (("distill",), "METHOD"),
        (("distill", "tscd", "--family", "sdxxl"), "sdxxl"),
        (("distill", "tscd", "--data", "no-such-folder"), "no-such-folder"),
        (("distill", "tscd", "--shorten", "0"), "above 0"),
        (("emoji",), "COMMAND"),
        (("emoji", "train", "--stages", "painting"), "painting"),
        (("emoji", "train", "--seed", "abc"), "seed"),
        (("emoji", "perceive", "--shorten", "2"), "up to 1"),
        (("emoji", "perceive", "--data", "no-such-folder"), "no-such-folder"),
        (("emoji", "perceive", "--scenes", "0"), "scenes must be a whole number"),
        (("emoji", "render", "a big dinosaur"), "'dinosaur'"),
        (("emoji", "render", "blue background"), "one or two objects"),
        (("emoji", "render", "cat, dog and owl"), "one or two objects"),
        (("emoji", "render", CAT, "--held-out"), "not both"),
        (("emoji", "render", "--count", "0"), "count must be a whole number"),
        (("emoji", "render", "--side", "1000000"), "side must be a whole number"),
    ],
)
def test_bad_input_is_one_clear_line(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    needs_out = words and words[0] not in {"models", "paint"} and words != ("emoji",)
    complaint = call(*words, *(("--out", "out") if needs_out else ())).complaint
    assert said in complaint
    assert len(complaint) < 400
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("command", ["compare", "evaluate", "distill", "emoji-render", "emoji-train", "emoji-perceive"])
@pytest.mark.parametrize("folder", ["a-file", "a-file/below", "/proc/hypersd"])
def test_a_folder_that_cannot_be_written(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("mine")
    words = {
        "compare": COMPARE,
        "evaluate": ("evaluate",),
        "distill": ("distill", "tscd"),
        "emoji-render": ("emoji", "render"),
        "emoji-train": ("emoji", "train"),
        "emoji-perceive": ("emoji", "perceive"),
    }[command]
    complaint = call(*words, "--out", folder).complaint
    assert complaint.startswith(f"cannot write to {folder}")
    assert (tmp_path / "a-file").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "contains no prompts"),
        (b"\n\n  \n", "contains no prompts"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"a cat\n" + b"x" * 10_000, "prompt 2: "),
        (b"a cat\n\na \x07 bell\n", "prompt 2: "),
    ],
)
def test_a_bad_file_of_prompts(call: Call, tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)
    complaint = call("compare", "--prompts", file, "--out", tmp_path / "out").complaint
    assert str(file) in complaint
    assert said in complaint
    assert not (tmp_path / "out").exists()


def test_a_folder_is_no_file_of_prompts(call: Call, tmp_path: Path) -> None:
    assert "directory" in call("compare", "--prompts", tmp_path, "--out", tmp_path / "out").complaint


def test_a_prompt_that_cannot_be_judged_is_named(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a big cat on a blue background\nthe sound of the sea\n")
    complaint = call("evaluate", "--prompts", file, "--out", tmp_path / "out").complaint
    assert "prompt 2: the judge needs one or two objects and a background" in complaint


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("models",),
        ("compare",),
        ("evaluate",),
        ("data",),
        ("data", "filter"),
        ("distill",),
        ("emoji",),
        ("emoji", "train"),
        ("claims",),
        ("emoji", "perceive"),
        ("emoji", "rebuild"),
        ("emoji", "render"),
    ],
)
def test_every_command_has_help(call: Call, words: tuple[str, ...]) -> None:
    result = call(*words, "--help")
    assert result.status == 0
    assert result.out.startswith("usage: ")
    assert result.err == ""
