"""CSV files that a spreadsheet opens run nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hypersd.evaluate.picture_metrics import ImageMetrics, read_pictures, write_pictures
from hypersd.sampling.step_sweep import SweepCell, SweepTable, sweep_csv
from hypersd.training.sources.captioned_pictures import CaptionedPictures
from hypersd.training.sources.picture_folder import PictureFolder
from hypersd.utils.spreadsheets import as_cell, text_of_cell

FORMULA = '=HYPERLINK("http://127.0.0.1/?"&A1,"cat")'
ATTACKS = (FORMULA, "+1+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(1+1)*cmd", "\t=1+1", "\r=1+1")


@pytest.mark.parametrize("text", ATTACKS)
def test_a_formula_becomes_text(text: str) -> None:
    assert as_cell(text) == f"'{text}"
    assert text_of_cell(as_cell(text)) == text


@pytest.mark.parametrize("value", ["a cat", "'tis a cat", "-0.5", "+1", "-1e-05", "", 3, -0.25, None])
def test_other_values_stay_as_they_are(value: object) -> None:
    assert as_cell(value) == value


@given(st.text(alphabet="'=+-@\t\r1ea "))
def test_any_text_is_read_back(text: str) -> None:
    cell = as_cell(text)
    assert text_of_cell(cell) == text
    assert cell == text or cell[0] == "'"


def rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.reader(opened))


@pytest.mark.parametrize("prompt", ATTACKS[:4])  # a prompt has no control characters
def test_prompts_of_an_evaluation_are_text(tmp_path: Path, prompt: str) -> None:
    picture = ImageMetrics(model="hyper", steps=4, prompt=prompt, seed=0, scores={"match": -0.5}, seconds=1)
    write_pictures([picture], ["match"], tmp_path / "pictures.csv")
    (_, row) = rows(tmp_path / "pictures.csv")
    assert (row[2], row[4]) == (f"'{prompt}", "-0.5")
    assert read_pictures(tmp_path / "pictures.csv") == [picture]


def test_names_of_others_files_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("=1+1")
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "good.png")
    (folder / "good.txt").write_text("a cat")
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "bad.txt").write_text("a dog")
    CaptionedPictures.prepare(PictureFolder.open(folder), 8, tmp_path / "index")
    assert rows(tmp_path / "index" / "rejected.csv")[1][0] == "'=1+1/bad.png"


def test_errors_in_a_sweep_are_text() -> None:
    failed = SweepCell(model="hyper", steps=1, error="=1+1")
    text = sweep_csv(SweepTable(models=("hyper",), steps=(1,), cells={("hyper", 1): failed}))
    assert text.splitlines()[1].endswith(",'=1+1")
