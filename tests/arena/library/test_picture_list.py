"""Lists of one's own pictures: every fault is named before anything is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from hypersd.arena.library.picture_list import read_pictures


def draw(file: Path, colour: str = "red", size: tuple[int, int] = (32, 32)) -> Path:
    """Write a picture of one colour."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file)
    return file


def table(folder: Path, *lines: str, name: str = "pictures.csv", header: str = "prompt,model,seed,file") -> Path:
    """Write a table of pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("\n".join([header, *lines]))
    return file


@pytest.mark.parametrize("folder", [True, False], ids=["the folder", "the table"])
def test_a_table_lists_pictures(tmp_path: Path, folder: bool) -> None:  # noqa: FBT001
    draw(tmp_path / "pics/a.png")
    draw(tmp_path / "b.jpg", "blue")
    listing = table(tmp_path, "a  cat,org/model-1,7,pics/a.png", "a cat,other,,b.jpg")
    listed = read_pictures(tmp_path if folder else listing)
    assert [(each.picture.prompt, each.picture.model, each.picture.seed) for each in listed] == [
        ("a cat", "org/model-1", 7),
        ("a cat", "other", -1),
    ]


def test_a_folder_for_each_model_needs_no_table(tmp_path: Path) -> None:
    for model in ("flux", "sdxl"):
        draw(tmp_path / model / "a_big_cat.png")
        draw(tmp_path / model / "02.webp")
    (tmp_path / "02.txt").write_text("an owl at night\n")
    listed = read_pictures(tmp_path)
    assert sorted((each.picture.prompt, each.picture.model) for each in listed) == [
        ("a big cat", "flux"),
        ("a big cat", "sdxl"),
        ("an owl at night", "flux"),
        ("an owl at night", "sdxl"),
    ]


@pytest.mark.parametrize("name", ["metadata.jsonl", "list.json"])
def test_json_lists_pictures_too(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "a.png")
    row = '{"prompt": "a cat", "model": "m", "steps": 4, "file_name": "a.png"}'
    (tmp_path / name).write_text(row if name.endswith("jsonl") else f"[{row}]")
    (listed,) = read_pictures(tmp_path / name)
    assert (listed.picture.steps, listed.file) == (4, (tmp_path / "a.png").resolve())


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("a cat,m,7,../secret.png", "row 1: '../secret.png' is not a file in"),
        ("a cat,m,7,link.png", "row 1: 'link.png' is not a file in"),
        ("a cat,m,7,/etc/hostname", "row 1: '/etc/hostname' is not a file in"),
        ("a cat,m,7,gone.png", "row 1: gone.png: No such file"),
        ("a cat,m,7,text.png", "row 1: text.png: it is not a picture, or is damaged"),
        ("a cat,m,7,cut.png", "row 1: cut.png: it is not a picture, or is damaged"),
        ("a cat,m,7,small.png", "8×8 pixels; each side must have 16 to 4096"),
        ("a cat,m,7,", "row 1: it names no file"),
        (",m,7,good.png", "row 1: it has no prompt"),
        ("a cat,,7,good.png", "row 1: it has no model"),
        (f"a cat,{'m' * 71},7,good.png", "its model has 71 characters; 70 are the most"),
        ("a\u200bcat,m,7,good.png", "its prompt has control characters"),
        ("a cat,m,-1,good.png", "the seed must be a whole number"),
        ("a cat,m,many,good.png", "the seed must be a whole number"),
        ("a cat,m,7,good.png,more", "its number of fields differs"),
    ],
)
def test_an_unusable_row_is_named(tmp_path: Path, line: str, fault: str) -> None:
    folder = tmp_path / "mine"
    whole = draw(folder / "good.png").read_bytes()
    draw(tmp_path / "secret.png")
    draw(folder / "small.png", size=(8, 8))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "text.png").write_text("no picture")
    (folder / "cut.png").write_bytes(whole[:60])
    with pytest.raises(ValueError, match="nothing was written") as caught:
        read_pictures(table(folder, line))
    assert fault in str(caught.value)


def test_the_first_faults_are_named_and_the_others_counted(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    lines = ["a cat,m,7,a.png", "a cat,m,7,a.png", *(f"a cat,m{number},7,gone" for number in range(4))]
    with pytest.raises(ValueError, match=r"row 2: it is the same prompt, seed and model as row 1; .*; and 2 more;"):
        read_pictures(table(tmp_path, *lines))


@pytest.mark.parametrize("content", ["", "no table at all", "PAR1\0\0"])
def test_something_else_is_no_list(tmp_path: Path, content: str) -> None:
    file = tmp_path / "pictures.csv"
    file.write_text(content)
    with pytest.raises(ValueError, match="is not a list of pictures"):
        read_pictures(file)


def test_an_empty_folder_has_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no pictures; it needs a table .*, or a folder for each model"):
        read_pictures(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_pictures(tmp_path / "gone")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    (listed,) = read_pictures(table(tmp_path, "a cat,m,7,b.png"))
    assert listed.file == (tmp_path / "a.png").resolve()
