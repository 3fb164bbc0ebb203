"""Datasets of the Hub, from a cache in the Hub's own layout: no test reaches the network."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest
from huggingface_hub import constants

from hypersd.models.downloads import DownloadError
from hypersd.training.sources.decoding import decode
from hypersd.training.sources.hub_dataset import HubAddress
from hypersd.training.sources.opening import open_source
from tests.training.sources.conftest import picture

COMMIT = "c" * 40


def publish(cache: Path, repository: str, splits: dict[str, datasets.Dataset], configs: tuple[str, ...] = ()) -> Path:
    """A dataset as `hf download` leaves it in a cache."""
    folder = cache / f"datasets--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for config in configs or ("data",):
        for split, rows in splits.items():
            file = snapshot / config / f"{split}-00000-of-00001.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows.to_parquet(str(file))
    if configs:
        listed = "".join(f"- config_name: {name}\n  data_dir: {name}\n" for name in configs)
        (snapshot / "README.md").write_text(f"---\nconfigs:\n{listed}---\n")
    return folder


def rows(*captions: object, column: str = "text") -> datasets.Dataset:
    columns = {"image": [picture(seed) for seed in range(len(captions))], column: list(captions)}
    return datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_a_dataset_is_read_from_the_hub_s_cache(cache: Path) -> None:
    publish(cache, "me/pictures", {"train": rows("a cat", "a dog"), "test": rows("an owl")})
    source = open_source("hf://datasets/me/pictures")
    assert [source.captions(row) for row in range(len(source))] == [["a cat"], ["a dog"]]
    assert decode(source.picture(1)).tobytes() == picture(1).tobytes()
    assert source.name(1) == "hf://datasets/me/pictures:1"
    other = open_source("hf://datasets/me/pictures/test")
    assert other.captions(0) == ["an owl"]
    assert other.fingerprint != source.fingerprint == open_source("hf://datasets/me/pictures/").fingerprint


def test_configurations_are_chosen_in_the_address(cache: Path) -> None:
    publish(cache, "me/pictures", {"train": rows("a cat"), "val": rows("a dog")}, configs=("small", "large"))
    with pytest.raises(ValueError, match="several configurations; add one of them to it: small, large"):
        open_source("hf://datasets/me/pictures")
    assert open_source("hf://datasets/me/pictures/small").captions(0) == ["a cat"]
    assert open_source("hf://datasets/me/pictures@main/large/validation").captions(0) == ["a dog"]
    with pytest.raises(ValueError, match="no configuration or split 'huge'"):
        open_source("hf://datasets/me/pictures/small/huge")


def test_rows_without_a_picture_or_a_caption_say_so(cache: Path) -> None:
    features = datasets.Features({"photo": datasets.Image(), "caption": datasets.List(datasets.Value("string"))})
    table = {"photo": [picture(0), None, picture(2)], "caption": [["a cat", "a tabby"], ["a dog"], None]}
    publish(cache, "me/pictures", {"train": datasets.Dataset.from_dict(table, features=features)})
    source = open_source("hf://datasets/me/pictures")
    assert source.captions(0) == ["a cat", "a tabby"]
    with pytest.raises(ValueError, match="no picture"):
        source.picture(1)
    with pytest.raises(ValueError, match="no caption"):
        source.captions(2)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (rows("a cat").remove_columns("image"), "one column of pictures, and has none"),
        (rows("a cat").rename_column("text", "label"), "no column text .* it has label; .*--caption-column"),
        (rows("a cat").add_column("depth", [None]).cast_column("depth", datasets.Image()), "and has image, depth"),
    ],
)
def test_a_dataset_of_another_kind_is_one_sentence(cache: Path, table: datasets.Dataset, complaint: str) -> None:
    publish(cache, "me/pictures", {"train": table})
    with pytest.raises(ValueError, match=complaint):
        open_source("hf://datasets/me/pictures")


def test_a_dataset_that_is_not_there_is_one_sentence(cache: Path) -> None:
    with pytest.raises(DownloadError, match="hf://datasets/me/gone is not downloaded and the Hub cannot be reached"):
        open_source("hf://datasets/me/gone")


@pytest.mark.parametrize("text", ["hf://datasets/me", "hf://datasets/", "hf://datasets/a/b/c/d/e", "hf://models/a/b"])
def test_an_address_has_its_form(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form hf://datasets/OWNER/NAME"):
        HubAddress.parse(text)
