"""`claims`, from the files that `evaluate` leaves."""

from __future__ import annotations

import csv
from pathlib import Path

from hypersd.evaluate.picture_metrics import ImageMetrics, write_pictures
from tests.cli.conftest import Call


def write(folder: Path, model: str, steps: int, values: list[float]) -> Path:
    pictures = [
        ImageMetrics(model=model, steps=steps, prompt=f"p{number}", seed=0, scores={"match": value}, seconds=1.0)
        for number, value in enumerate(values)
    ]
    write_pictures(pictures, ["match"], folder / "pictures.csv")
    return folder


def test_claims_are_read_off_the_folders_of_several_seeds(call: Call, tmp_path: Path) -> None:
    seeds = [
        f"tscd={write(tmp_path / f'tscd-{seed}', 'adapter', 1, [0.6, 0.8])},"
        f"{write(tmp_path / f'tcd-{seed}', 'tcd', 1, [0.5, 0.7])}"
        for seed in range(3)
    ]
    words = ("claims", *seeds, "--out", tmp_path / "out")
    printed = call(*words)
    assert printed.status == 0, printed.err
    assert (
        "| TSCD better than TCD | 1 | match | above +0.000 | +0.100 [+0.100, +0.100] | 3 | 2 | comes out |"
        in printed.out
    )
    assert "| TCD better than LCM | 1 | match | above +0.000 | – | – | – | not measured |" in printed.out
    assert printed.out == (tmp_path / "out" / "claims.md").read_text() + "\n"
    with (tmp_path / "out" / "claims.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["verdict"], first["value"], first["seeds"]) == ("comes out", "0.1", "3")
    document = call(*words, "--json").document
    assert [claim["verdict"] for claim in document["claims"][:2]] == ["comes out", "not measured"]
    assert document["claims"][1]["value"] is None


def test_bad_results_are_one_sentence(call: Call, tmp_path: Path) -> None:
    folder, out = write(tmp_path / "a", "tcd", 1, [0.5]), ("--out", tmp_path / "out")
    assert "no results of `evaluate`" in call("claims", tmp_path, *out).complaint
    assert "and so did another folder" in call("claims", f"{folder},{folder}", *out).complaint
    assert "expected NAME=DIR" in call("claims", f"={folder}", *out).complaint
    (folder / "pictures.csv").write_text("a,b\n1,2\n")
    assert "is no table of pictures" in call("claims", folder, *out).complaint
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "claims.md").write_text("mine")
    write(folder, "tcd", 1, [0.5])
    assert "did not write" in call("claims", folder, *out).complaint
    assert (tmp_path / "out" / "claims.md").read_text() == "mine"
