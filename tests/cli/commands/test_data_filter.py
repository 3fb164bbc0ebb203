"""`data filter`: pictures of every source measured, chosen, and trained on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from PIL import Image

from hypersd.training.sources.decoding import decode
from hypersd.training.sources.opening import open_source
from tests.cli.conftest import Call
from tests.families import write_emoji
from tests.scorers import published_scorers
from tests.training.sources.conftest import picture, png, write_folder, write_tar
from tests.training.sources.test_hub_dataset import publish, rows

LOOSE = ("--side", "24", "--sharpness", "none", "--aesthetic", "none")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache, with nothing in it, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "hub"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five pictures: a good one, a small one, a flat one, one without words, and one with the first one's caption."""
    captions = {"good": "a <b>cat</b> &amp; a dog", "small": "an owl", "flat": "a wall", "bare": "https://a.b/c"}
    folder = write_folder(tmp_path / "photos", {f"{name}.png": text for name, text in captions.items()})
    picture(9, height=23, width=90).save(folder / "small.png")
    Image.new("RGB", (40, 40), "grey").save(folder / "flat.png")
    picture(8).save(folder / "twin.png")
    with (folder / "metadata.jsonl").open("a") as file:
        file.write(json.dumps({"file_name": "twin.png", "text": "A cat & a dog"}) + "\n")
    return folder


def rejected(out: Path) -> dict[str, tuple[str, str, str]]:
    """Reason, value and limit by the name of the file."""
    with (out / "rejected.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    return {Path(line["name"]).stem: (line["reason"], line["value"], line["limit"]) for line in lines}


def test_what_is_left_out_is_counted_and_named_with_its_value(call: Call, tmp_path: Path, photos: Path) -> None:
    out = tmp_path / "out"
    words = ("data", "filter", "--data", photos, "--side", "24", "--aesthetic", "none", "--out", out)
    document = call(*words, "--json").document
    reasons = {"side": 1, "caption": 1, "sharpness": 1, "duplicate caption": 1}
    assert document == {"data": str(photos), "out": str(out), "examples": 5, "kept": 1, "rejected": reasons}
    assert rejected(out) == {
        "small": ("side", "23", ">= 24"),
        "flat": ("sharpness", "0.00", ">= 100"),
        "bare": ("caption", "no word is left once it is cleaned", ""),
        "twin": ("duplicate caption", "A cat & a dog", ""),
    }
    kept = open_source(str(out))
    assert [kept.captions(row) for row in range(len(kept))] == [["a cat & a dog"]]
    assert kept.picture(0) == photos / "good.png"

    printed = call(*words[:-2], "--keep-duplicates", "--sharpness", "none", "--out", out)
    assert "kept           3" in printed.out, "other limits decide on the same measurements"
    assert set(rejected(out)) == {"small", "bare"}
    assert open_source(str(out)).fingerprint != kept.fingerprint


def test_shards_and_datasets_of_the_hub_are_filtered_too(call: Call, tmp_path: Path, cache: Path) -> None:
    write_tar(
        tmp_path / "s-000.tar",
        {"a.png": png(0, height=10), "a.txt": b"a cat", "b.png": png(1), "b.txt": b"a  <i>dog</i>"},
    )
    publish(cache, "me/pictures", {"train": rows("a cat", "", "an &quot;owl&quot;", column="words")})
    shards = call("data", "filter", "--data", tmp_path / "s-{000..000}.tar", *LOOSE, "--out", tmp_path / "shards")
    assert shards.status == 0, shards.err
    source = open_source(str(tmp_path / "shards"))
    assert source.captions(0) == ["a dog"]
    assert decode(source.picture(0)).tobytes() == picture(1).tobytes()
    assert source.name(0).endswith("s-000.tar:b")

    address = ("--data", "hf://datasets/me/pictures", "--caption-column", "words")
    document = call("data", "filter", *address, *LOOSE, "--out", tmp_path / "hub-out", "--json").document
    assert document["rejected"] == {"unreadable": 1}
    source = open_source(str(tmp_path / "hub-out"))
    assert [source.captions(row) for row in range(len(source))] == [["a cat"], ['an "owl"']]
    assert decode(source.picture(1)).tobytes() == picture(2).tobytes()


def test_a_training_reads_what_is_kept(
    call: Call, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_emoji(tmp_path / "family", [])
    monkeypatch.setenv("HYPERSD_EMOJI", str(tmp_path / "family"))
    out = tmp_path / "filtered"
    call("data", "filter", "--data", photos, *LOOSE, "--keep-duplicates", "--out", out)
    words = ("--data", out, "--stages", "segments-8", "--steps", "1", "--batch", "2", "--rank", "2")
    trained = call("distill", "tscd", *words, "--out", tmp_path / "tscd", "--json")
    assert trained.document["adapters"] == ["segments-8.safetensors"]
    assert "cannot be used" not in trained.err

    Image.new("RGB", (41, 40), "red").save(photos / "good.png")
    complaint = call("distill", "tscd", *words, "--out", tmp_path / "again").complaint
    assert complaint.startswith(f"{photos} has changed since {out} was filtered")


def test_the_aesthetic_score_is_the_published_model_s(call: Call, tmp_path: Path, photos: Path, cache: Path) -> None:
    words = ("data", "filter", "--data", photos, "--side", "24", "--sharpness", "none")
    assert call(*words, "--out", tmp_path / "out").complaint.endswith(
        "of openai/clip-vit-large-patch14 is not downloaded and the Hub cannot be reached; connect once to fetch it, "
        "or leave the aesthetic score out with --aesthetic none"
    )
    assert not (tmp_path / "out").exists()
    published_scorers.fill(cache)
    document = call(*words, "--aesthetic", "-1000", "--out", tmp_path / "out", "--json").document
    assert (document["kept"], "aesthetic" in document["rejected"]) == (2, False)
    nothing = call(*words, "--aesthetic", "1000", "--out", tmp_path / "out")
    assert nothing.status == 2
    assert "no picture is left" in nothing.err
    assert {reason for reason, _, limit in rejected(tmp_path / "out").values() if limit == "> 1000"} == {"aesthetic"}
    complaint = call("distill", "lcm", "--data", tmp_path / "out", "--out", tmp_path / "lcm").complaint
    assert "the filter has kept none of" in complaint


def test_a_stopped_run_goes_on(call: Call, tmp_path: Path) -> None:
    photos = write_folder(tmp_path / "photos", {f"{number:03d}.png": f"picture {number}" for number in range(300)})
    words = ("data", "filter", "--data", photos, *LOOSE, "--out", tmp_path / "out", "--json")
    assert call(*words).document["kept"] == 300
    first, second = sorted((tmp_path / "out" / "measurements").glob("*.parquet"))
    stamp, kept = first.stat().st_mtime_ns, (tmp_path / "out" / "kept.arrow").read_bytes()
    second.unlink()  # as if it had been killed before
    (tmp_path / "out" / "filter.json").unlink()
    assert call(*words).document["kept"] == 300
    assert first.stat().st_mtime_ns == stamp
    assert (tmp_path / "out" / "kept.arrow").read_bytes() == kept


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--side", "0"), "--side: the side must be a whole number from 1"),
        (("--sharpness", "much"), "--sharpness: expected a number or none, not 'much'"),
        (("--aesthetic", "nan"), "--aesthetic: expected a number or none, not 'nan'"),
        (("--data", "nowhere"), "nowhere: No such file or directory"),
        (("--out", "photos/out"), "is among the pictures in"),
    ],
)
def test_bad_input_is_one_sentence(  # noqa: PLR0917 - fixtures and a row
    call: Call, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--data", photos, "--out", tmp_path / "out", "--aesthetic", "none")
    assert complaint in call("data", "filter", *options, *words).complaint
    assert not (tmp_path / "out").exists()
    assert not (photos / "out").exists()


def test_a_folder_that_is_not_its_own_is_left_alone(call: Call, tmp_path: Path, photos: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rejected.csv").write_text("mine")
    complaint = call("data", "filter", "--data", photos, *LOOSE, "--out", tmp_path / "out").complaint
    assert "contains rejected.csv, which this command did not write" in complaint
    assert (tmp_path / "out" / "rejected.csv").read_text() == "mine"


def test_a_damaged_list_is_named(call: Call, tmp_path: Path, photos: Path) -> None:
    out = tmp_path / "out"
    call("data", "filter", "--data", photos, *LOOSE, "--out", out)
    for content in (b"", b"nothing", (out / "kept.arrow").read_bytes()[:100]):
        (out / "kept.arrow").write_bytes(content)
        complaint = call("distill", "lcm", "--data", out, "--out", tmp_path / "lcm").complaint
        assert "kept.arrow is" in complaint
        assert "the list of a filter" in complaint
