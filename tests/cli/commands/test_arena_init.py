"""`arena init`: it checks everything, then makes an arena that `python app.py` serves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.arena.library.test_new_arena import three
from tests.cli.conftest import Call


def test_an_arena_is_made_and_grows(call: Call, tmp_path: Path) -> None:
    source, folder = three(tmp_path / "source"), tmp_path / "my-arena"
    document = call("arena", "init", folder, "--pictures", source, "--json").document
    assert document == {
        "folder": str(folder),
        "name": "my-arena",
        "added": 4,
        "known": 0,
        "pictures": 4,
        "contestants": [f"my-arena/{model}@?" for model in "abcd"],
        "pairs": 2,
        "equal": 1,
    }
    again = call("arena", "init", folder, "--pictures", source)
    assert "0 pictures added (4 were there already): 4 models, 2 pairs" in again.out
    assert f"HYPERSD_DATA={folder} python app.py" in again.out


def test_its_folder_may_move(call: Call, tmp_path: Path) -> None:
    source = three(tmp_path / "source")
    assert call("arena", "init", tmp_path / "here", "--pictures", source).status == 0
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert call("arena", "init", tmp_path / "there", "--pictures", source, "--json").document["name"] == "here"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("new", "--pictures", "gone.csv"), "gone.csv: No such file or directory"),
        (("new", "--pictures", ""), "not an empty text"),
        (("new",), "--pictures"),
        (("new", "--pictures", "source", "--name", "emoji"), "emoji is a family of models here"),
        (("new", "--pictures", "source", "--name", "My Arena"), "small letters, digits and hyphens"),
        (("source", "--pictures", "source"), "source holds files, but no arena of `arena init`"),
        (("source/a.png", "--pictures", "source"), "source/a.png holds files, but no arena"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], complaint: str
) -> None:
    three(tmp_path / "source")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert complaint in call("arena", "init", *words).complaint
    assert sorted(tmp_path.rglob("*")) == before
