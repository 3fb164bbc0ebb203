"""Output folders: what a command made itself is replaced, what anybody else made is not touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hypersd.utils.files import write_text
from hypersd.utils.outputs import MANIFEST, Owners, output_folder


def nothing(_folder: Path) -> Owners:
    return {}


def record(folder: Path) -> Owners:
    """A command that lists its files in one of them."""
    try:
        return {"draw": ["record.txt", *(folder / "record.txt").read_text().split()]}
    except OSError:
        return {}


def draw(folder: Path, *files: str, fail_after: int | None = None, keep: bool = False) -> None:
    with output_folder(folder, "draw", [*files, "record.txt"], record, keep=keep) as out:
        for number, file in enumerate(files):
            if number == fail_after:
                raise KeyboardInterrupt
            write_text(out / file, file)
        write_text(out / "record.txt", "\n".join(files))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_finished_run_leaves_its_files_and_nothing_else(tmp_path: Path) -> None:
    draw(tmp_path / "out", "a.png", "0000/b.png")
    assert names(tmp_path / "out") == {"a.png", "0000/b.png", "record.txt"}


def test_files_of_the_run_before_go_and_those_of_others_stay(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "0000/b.png", "0001/c.png")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "0001" / "mine.png").write_text("mine")
    draw(tmp_path, "a.png", "d.png")
    assert names(tmp_path) == {"a.png", "d.png", "record.txt", "notes.txt", "0001/mine.png"}
    assert not (tmp_path / "0000").exists()


@pytest.mark.parametrize("name", ["a.png", "record.txt", "0000/b.png"])
def test_a_foreign_file_is_named_and_nothing_is_changed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    if name == "record.txt":
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=f"contains {name}, which this command did not write") as raised:
        draw(tmp_path, "a.png", "0000/b.png")
    assert "\n" not in str(raised.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_of_many_foreign_files_some_are_named(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.png").write_text("mine")
    with pytest.raises(ValueError, match=r"contains 0\.png, 1\.png, 2\.png and 6 more"):
        draw(tmp_path, *(f"{number}.png" for number in range(9)))


def test_a_run_that_was_broken_off_is_replaced(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        draw(tmp_path, "a.png", "b.png", fail_after=1)
    assert json.loads((tmp_path / MANIFEST).read_text()) == {"made_by": {"draw": ["a.png"]}}
    (tmp_path / "b.png").write_text("mine: the run never made it")
    with pytest.raises(ValueError, match=r"contains b\.png"):
        draw(tmp_path, "a.png", "b.png")
    draw(tmp_path, "a.png", "c.png")
    assert names(tmp_path) == {"a.png", "b.png", "c.png", "record.txt"}


def test_a_run_that_was_killed_is_replaced(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"made_by": {"draw": ["a.png", "b.png", "record.txt"]}}')
    (tmp_path / "a.png").write_text("half a run")
    draw(tmp_path, "a.png", "b.png")
    assert names(tmp_path) == {"a.png", "b.png", "record.txt"}


def test_a_run_that_fails_at_once_leaves_the_one_before(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")
    with pytest.raises(KeyboardInterrupt):
        draw(tmp_path, "a.png", "c.png", fail_after=0)
    assert names(tmp_path) == {"a.png", "b.png", "record.txt"}


def test_a_run_that_fails_later_does_not_stand_beside_the_one_before(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")
    with pytest.raises(KeyboardInterrupt):
        draw(tmp_path, "a.png", "c.png", fail_after=1)
    assert names(tmp_path) == {"a.png", MANIFEST}


def test_a_run_that_goes_on_keeps_everything(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")
    draw(tmp_path, "b.png", "c.png", keep=True)
    assert names(tmp_path) >= {"a.png", "b.png", "c.png", "record.txt"}


def test_the_command_that_made_the_files_is_named(tmp_path: Path) -> None:
    with output_folder(tmp_path, "paint", ["a.png"], nothing):
        write_text(tmp_path / "a.png", "paint")
    with pytest.raises(ValueError, match=r"output of `hypersd paint` \(a\.png\); choose another folder"):
        draw(tmp_path, "a.png")
    draw(tmp_path, "b.png")
    assert json.loads((tmp_path / MANIFEST).read_text()) == {"made_by": {"paint": ["a.png"]}}


@pytest.mark.parametrize("evil", ["../victim.txt", "/etc/passwd", "..", ".", "sub/../../victim.txt"])
def test_no_record_reaches_out_of_the_folder(tmp_path: Path, evil: str) -> None:
    (tmp_path / "victim.txt").write_text("precious")
    out = tmp_path / "out"
    out.mkdir()
    (out / "record.txt").write_text(evil)
    draw(out, "a.png")
    assert (tmp_path / "victim.txt").read_text() == "precious"
    assert names(out) == {"a.png", "record.txt"}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"made_by": {"draw": [7]}}', '{"made_by": {"draw": 7}}', "\udcff"])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"\.hypersd\.json is damaged"):
        draw(tmp_path, "a.png")
