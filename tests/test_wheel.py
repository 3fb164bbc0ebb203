"""The package as a wheel: built, installed into an environment of its own, and run from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = ["pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder), str(root)]
    subprocess.run([sys.executable, "-m", *words], check=True)
    (file,) = folder.glob("hypersd-*.whl")
    return file


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel, and the libraries of the one that runs the tests."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    words = ["pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    subprocess.run([sys.executable, "-m", *words], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def run(python: Path, folder: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-m", "hypersd", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_wheel_holds_the_package_and_its_assets_and_nothing_else_on_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"hypersd"}
    for file in ("emoji-xl/model_index.json", "emoji-xl/sprites/LICENSE", "prompts/emoji-v1.txt"):
        assert f"hypersd/assets/{file}" in names
    assert "hypersd/py.typed" in names, "its types are for whoever imports it"


def test_an_installed_package_draws_with_the_embedded_family(python: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [str(python), "-c", "import hypersd; print(hypersd.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(python.parents[1])
    words = ("a big cat on a blue background", "--models", "hyper", "--steps", "1", "--out", "drawn", "--json")
    (record,) = json.loads(run(python, tmp_path, "compare", *words))["runs"]
    assert (tmp_path / "drawn" / record["file"]).stat().st_size > 1000
