"""The paper's tables beside a family's own numbers, and its figures."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hypersd.evaluate.evaluation_report import ReportRow
from hypersd.evaluate.paper_figures import write_figure
from hypersd.evaluate.paper_results import FigureColumn, PaperFigure, absence, paper_results
from hypersd.evaluate.paper_tables import latex_of, markdown_of, method_table, number_table, write_text_table
from hypersd.models.engine import Engine
from hypersd.models.families.embedded import EMOJI
from hypersd.models.families.sd15 import SD15
from hypersd.models.families.sdxl import SDXL
from hypersd.models.specs import Family
from hypersd.utils.estimates import UNKNOWN, Estimate
from tests.families import emoji_family, machine

COMMAND = "python -m hypersd evaluate tables --out a_b~{c}"


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return emoji_family(EMOJI, tmp_path_factory.mktemp("emoji"), without=["turbo"])


def measured(model: str, steps: int) -> ReportRow:
    means = {
        "object": Estimate(value=0.5, low=0.4, high=0.6, n=512),
        "clip": Estimate(value=30.0, low=29.0, high=31.0, n=512),
        "reward": UNKNOWN,
    }
    return ReportRow(
        model=model,
        steps=steps,
        means=means,
        diversity_ratio=UNKNOWN,
        fid=1.0,
        fid_floor=1.0,
        seconds=1.0,
        n=512,
        prompts=256,
    )


def test_the_paper_s_numbers_are_those_of_the_paper() -> None:
    paper = paper_results()
    rows = {(table.number, arch): table.rows[arch] for table in paper.tables for arch in table.rows}
    assert {place: len(table) for place, table in rows.items()} == {
        (2, "sd15"): 5,
        (2, "sdxl"): 8,
        (3, "sdxl"): 11,
        (4, "sd15"): 4,
        (4, "sdxl"): 4,
        (5, "sdxl"): 11,
    }
    lightning, hyper = rows[2, "sdxl"][6], rows[2, "sdxl"][7]
    # The abstract's claim: +0.68 CLIP score and +0.51 aesthetic score over Lightning in one step.
    assert hyper.paper["clip"] - lightning.paper["clip"] == pytest.approx(0.68)
    assert hyper.paper["aesthetic"] - lightning.paper["aesthetic"] == pytest.approx(0.51)
    # The same models stand in several tables, with the same numbers.
    same = {(row.model, row.steps, place[1]): row.paper for place, table in rows.items() for row in table}
    assert all(row.paper == same[row.model, row.steps, place[1]] for place, table in rows.items() for row in table)
    assert [figure.number for figure in paper.figures] == [1, 6, 7, 8]
    assert all(len(figure.prompts) == 4 for figure in paper.figures)


def test_a_row_has_our_number_with_its_interval_or_says_why_not(tmp_path: Path) -> None:
    paper = paper_results()
    row = measured("base", 25)
    absences = {(each.model, each.steps): "not trained" for each in paper.tables[0].rows["sdxl"]}
    table = number_table(paper.tables[0], paper, EMOJI, {("base", 25): row}, absences)
    assert table is not None
    assert table.title.startswith("Table 2.")
    assert "Emoji XL here, SDXL in the paper" in table.title
    head = ["method", "steps", "object, ours", "CLIP, ours", "CLIP, paper", "Aes, paper", "ImageReward, paper"]
    assert list(table.head) == [*head, "Pick, paper", "pictures, ours"]
    assert table.rows[0] == ["Base", "25", "50.0% [40, 60]", "30.00 ±1.00", "33.16", "5.54", "0.87", "0.229", "512"]
    assert table.rows[1] == ["LCM", "4", "not trained", "–", "32.43", "5.42", "0.48", "0.224", "–"]
    files = write_text_table(table, tmp_path, COMMAND)
    assert [file.name for file in files] == ["table-2.csv", "table-2.md", "table-2.tex"]
    with files[0].open() as file:
        lines = list(csv.DictReader(file))
    assert (lines[0]["clip"], lines[0]["clip_low"], lines[0]["paper_clip"], lines[0]["n"]) == (
        "30",
        "29",
        "33.16",
        "512",
    )
    assert (lines[1]["clip"], lines[1]["absent"], lines[1]["paper_pick"]) == ("", "not trained", "0.224")
    assert {line["command"] for line in lines} == {COMMAND}
    assert f"Made by `{COMMAND}`." in markdown_of(table, COMMAND)
    assert "bootstrap over 256 prompts" in markdown_of(table, COMMAND)
    latex = latex_of(table, COMMAND)
    assert r"Base & 25 & 50.0\% [40, 60] & 30.00 $\pm$1.00 & 33.16" in latex
    assert r"\texttt{python -m hypersd evaluate tables --out a\_b\textasciitilde{}\{c\}}" in latex
    assert "–" not in latex


def test_a_table_without_any_number_of_ours_says_so_in_every_row() -> None:
    paper = paper_results()
    absences = {(row.model, row.steps): "not trained" for table in paper.tables for row in table.rows["sdxl"]}
    table = number_table(paper.tables[2], paper, EMOJI, {}, absences)
    assert table is not None
    assert "not trained" in markdown_of(table, COMMAND)
    assert all(len(row) == len(table.head) for row in table.rows)


def test_a_family_of_another_architecture_has_the_tables_that_the_paper_has_for_it() -> None:
    paper = paper_results()
    absences = {(row.model, row.steps): "" for table in paper.tables for row in table.rows.get("sd15", ())}
    numbers = [number_table(table, paper, SD15, {}, absences) for table in paper.tables]
    assert [table.name for table in numbers if table] == ["table-2", "table-4"]
    assert paper.architecture_of(SDXL) == paper.architecture_of(EMOJI) == "sdxl"


def test_the_first_table_reads_the_recipes() -> None:
    table = method_table(paper_results(), SDXL, {"perflow": "no weights published"})
    by_method = {row[0]: row[1:] for row in table.rows}
    assert by_method["PeRFlow"][:4] == ["no weights published", "–", "–", "–"]
    assert by_method["Turbo"] == ["1+", "yes", "yes", "no", "SD21/XL", "1+", "yes", "yes", "no"]
    # Figure 5 of the paper runs it at 1 step, so it has a recipe for that; the paper's own row is beside.
    assert by_method["LCM"] == ["1+", "yes", "no", "yes", "SD15/XL", "2+", "yes", "no", "no"]


def test_what_was_not_trained_is_known_by_its_missing_weights(family: Family, tmp_path: Path) -> None:
    here = machine(tmp_path)
    assert absence(family, "hyper", 4, here) == ""
    assert absence(family, "turbo", 1, here) == "not trained", "its file is missing"
    assert absence(family, "perflow", 4, here) == "not trained"
    assert absence(family, "lightning", 8, here) == "not trained"
    assert absence(SDXL, "base", 25, here) == "needs about 22 GB of free memory; 1 GB are free"
    assert absence(SDXL, "dmd", 1, here) == "no weights published"


def test_a_figure_has_a_row_a_prompt_and_leaves_out_what_is_not_there(family: Family, tmp_path: Path) -> None:
    columns = [
        FigureColumn(model="turbo", steps=1),
        FigureColumn(model="hyper", steps=4),
        FigureColumn(model="hyper", steps=1),
    ]
    figure = PaperFigure(number=7, title="Approaches", columns=columns, prompts=["1 girl", "A bear"])
    engine = Engine(family, machine(tmp_path))
    prompts = ["a big cat on a blue background", "a dog on a white background"]
    png, caption = write_figure(figure, prompts, engine, seed=3, folder=tmp_path, command=COMMAND)
    with Image.open(png) as picture:
        assert picture.size[1] % 2 == 0
        upper, lower = (
            picture.crop((0, half * picture.height // 2, picture.width, (half + 1) * picture.height // 2))
            for half in (0, 1)
        )
        assert upper.tobytes() != lower.tobytes()
        assert picture.info["command"] == COMMAND
        assert picture.width == 2 * (256 + 12) + 12, "hyper at 4 steps and at 1"
    text = caption.read_text()
    assert "Without turbo at 1 step: not trained." in text
    assert "it cannot draw those of the paper's caption" in text
    assert f"Made by `{COMMAND}`." in text
    alone = replace(figure, columns=columns[:1])
    assert [
        file.name for file in write_figure(alone, prompts, engine, seed=3, folder=tmp_path / "b", command=COMMAND)
    ] == ["figure-7.md"]
