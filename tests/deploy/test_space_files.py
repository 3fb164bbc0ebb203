"""Files of a Space."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from hypersd.deploy.space_files import SpaceFile, space_card, space_files, space_requirements

NEEDED = {"app.py", "requirements.txt", "README.md", "LICENSE", "NOTICE", "docs/compare.png", "hypersd/api.py"}


def write(files: tuple[SpaceFile, ...], folder: Path) -> None:
    for file in files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file.content, bytes):
            target.write_bytes(file.content)
        else:
            shutil.copyfile(file.content, target)


def test_the_page_is_built_from_these_files_alone(root: Path, tmp_path: Path) -> None:
    write(space_files(root), tmp_path)
    environment = {**os.environ, "HYPERSD_DATA": str(tmp_path / "data"), "PYTHONPATH": ""}
    code = (
        "from app.build import build; from app.services.settings import AppSettings; print(build(AppSettings()).title)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "Hyper-SD" in done.stdout


def test_nothing_but_what_is_needed_is_listed(root: Path) -> None:
    files = {file.path: file for file in space_files(root)}
    assert files.keys() >= NEEDED
    folders = {path.partition("/")[0] for path in files if "/" in path}
    assert folders == {"app", "hypersd", "assets", "docs"}
    assert not [path for path in files if "__pycache__" in path or path.startswith(("tests", "benchmarks"))]
    assert sum(file.size for file in files.values()) < 80e6


def test_secrets_and_caches_stay(root: Path, tmp_path: Path) -> None:
    write(space_files(root), tmp_path)
    for name in ("app/.env", "app/__pycache__/x.pyc", "hypersd/.cache/token", ".env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("secret")
    assert [file.path for file in space_files(tmp_path)] == [file.path for file in space_files(root)]


def test_what_a_space_brings_itself_is_not_installed() -> None:
    text = "torch>=2.8\ngradio[oauth]>=6.31,<7\nhuggingface_hub>=1.32  # the client\n# gradio\nnumpy>=2.0\nspaces\n"
    assert space_requirements(text) == "torch>=2.8\n# gradio\nnumpy>=2.0\n"


def test_the_card_is_as_a_space_wants_it(root: Path) -> None:
    text = space_card((root / "README.md").read_text(encoding="utf-8"), ["me/base a.json,b.safetensors"])
    matter = yaml.safe_load(text.split("---")[1])
    assert matter["preload_from_hub"] == ["me/base a.json,b.safetensors"]
    assert (matter["sdk"], matter["app_file"], matter["python_version"]) == ("gradio", "app.py", "3.12")
    assert matter["hf_oauth"] is True
    assert matter["startup_duration_timeout"] == "1h"
    assert len(matter["short_description"]) <= 60
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (gradio,) = (Requirement(line) for line in lines if line.startswith("gradio"))
    assert gradio.specifier.contains(matter["sdk_version"])
    assert text.endswith((root / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2])


def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no app.py: a Space is deployed from a checkout"):
        space_files(tmp_path)
