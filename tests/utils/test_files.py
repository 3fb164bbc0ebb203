"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from hypersd.utils.files import UNFINISHED, atomic_folder, atomic_path, finite, write_json, write_text

WRITER = """
import sys, time
from pathlib import Path
from hypersd.utils.files import atomic_path, atomic_folder

with atomic_path(Path(sys.argv[1])) as part, part.open("wb") as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "picture.png"
    with atomic_path(file) as part:
        Image.new("RGB", (4, 4)).save(part)  # the ending says the format
        assert not file.exists()
    with Image.open(file) as picture:
        assert picture.size == (4, 4)
    assert names(file.parent) == {"picture.png"}


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    file = tmp_path / "table.csv"
    write_text(file, "old")

    def write() -> None:
        with atomic_path(file, durable=True) as part:
            part.write_text("ne")
            raise error

    with pytest.raises(error):
        write()
    assert file.read_text() == "old"
    assert names(tmp_path) == {"table.csv"}


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("old", ["old", None])
def test_a_writer_that_is_killed_leaves_what_was_there(
    root: Path, tmp_path: Path, kill: signal.Signals, old: str | None
) -> None:
    file = tmp_path / "state.safetensors"
    if old:
        file.write_text(old)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(kill)
    assert writer.returncode != 0
    assert (file.read_text() if file.exists() else None) == old
    assert not list(tmp_path.glob("*.safetensors")) or old, "nobody takes the part for the file"
    write_text(file, "new")
    assert file.read_text() == "new"


def test_the_files_of_a_folder_appear_together(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("old")
    (tmp_path / "notes.txt").write_text("somebody's")

    def write(*, fail: bool) -> None:
        with atomic_folder(tmp_path) as part:
            (part / "config.json").write_text("new")
            (part / "vae").mkdir()
            (part / "vae" / "model.safetensors").write_text("weights")
            assert (tmp_path / "config.json").read_text() == "old"
            if fail:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(fail=True)
    assert names(tmp_path) == {"config.json", "notes.txt"}
    write(fail=False)
    assert names(tmp_path) == {"config.json", "notes.txt", "vae"}
    assert (tmp_path / "config.json").read_text() == "new"
    assert (tmp_path / "vae" / "model.safetensors").read_text() == "weights"


def test_text_and_json_are_written_as_they_are(tmp_path: Path) -> None:
    write_text(tmp_path / "text.md", "größer\r\n🦊\n")
    assert (tmp_path / "text.md").read_bytes() == "größer\r\n🦊\n".encode()
    write_json(tmp_path / "facts.json", {"ä": [1, None]})
    assert json.loads((tmp_path / "facts.json").read_text()) == {"ä": [1, None]}


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "file").symlink_to(tmp_path / "disk" / "file")
    write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").is_symlink()
    assert (tmp_path / "disk" / "file").read_text() == "new"


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "file", "new")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "grid.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"grid\.png: it is a folder"):
        write_text(tmp_path / "grid.png", "")
    assert not [name for name in names(tmp_path) if name.startswith(UNFINISHED)]


def test_json_has_null_for_what_is_no_number() -> None:
    document = {"a": [1, math.nan, (math.inf, "b")], "c": {"d": -math.inf, "e": True}}
    assert finite(document) == {"a": [1, None, [None, "b"]], "c": {"d": None, "e": True}}
