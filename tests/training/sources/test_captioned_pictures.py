from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hypersd.training.sources.captioned_pictures import HELD_OUT_SHARE, CaptionedPictures
from hypersd.training.sources.opening import open_source
from tests.training.sources.conftest import picture, png, write_folder, write_tar


def prepare(folder: Path, pixels: int = 16) -> CaptionedPictures:
    return CaptionedPictures.prepare(open_source(str(folder)), pixels, folder.parent / f"{folder.name}-index")


def captions(data: CaptionedPictures) -> set[str]:
    rng = np.random.default_rng(0)
    return {data.caption(index, rng) for index in range(data.size)}


def test_what_cannot_be_used_is_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_folder(tmp_path / "pictures", {f"{name}.png": f"picture {name}" for name in "abcdef"})
    (folder / "b.png").write_bytes(png(1)[:200])
    (folder / "c.png").write_bytes(b"no picture")
    (folder / "d.png").write_bytes(b"")
    (folder / "e.png").unlink()
    with (folder / "metadata.jsonl").open("a") as metadata:
        metadata.write(json.dumps({"file_name": "f.png", "text": "  "}) + "\n")
    data = prepare(folder)
    assert captions(data) | {*data.held_out} == {"picture a", "picture f"}
    with (tmp_path / "pictures-index" / "rejected.csv").open() as file:
        rejected = {(Path(row["name"]).name, row["reason"]) for row in csv.DictReader(file)}
    assert rejected == {
        ("b.png", "a damaged picture"),
        ("c.png", "no picture of a known format"),
        ("d.png", "its file is empty"),
        ("e.png", "No such file or directory"),
        ("f.png", "no caption"),
    }
    assert "5 of 7 examples cannot be used" in caplog.text
    assert "rejected.csv names them" in caplog.text


def test_a_source_of_nothing_usable_is_one_sentence(tmp_path: Path) -> None:
    members = {f"{number}.png": png(number) for number in range(5)}
    write_tar(tmp_path / "shards" / "a.tar", members)
    with pytest.raises(ValueError, match=r"nothing can be trained on: 5 of 5 .*no caption \(5: .*a\.tar:0, .*, …\)$"):
        prepare(tmp_path / "shards")


def test_pictures_are_scaled_and_their_middle_is_cut_out(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pictures", {"a.png": "a cat", "b.png": "a cat"})
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255
    Image.fromarray(wide).save(folder / "a.png")
    Image.fromarray(wide.swapaxes(0, 1)).save(folder / "b.png")
    data = prepare(folder, 10)
    seen = data.pictures([0, 1])
    assert seen.shape == (2, 10, 10, 3)
    assert seen[:, 1:-1, 1:-1].min() > 250, "the black outer thirds are cut off"
    assert data.size_conditioning([0, 1]).tolist() == [[20, 60, 0, 10], [60, 20, 10, 0]]


def test_a_picture_of_the_right_size_is_left_as_it_is(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pictures", {"a.png": "a cat"})
    (folder / "a.png").write_bytes(png(5, height=16, width=16))
    data = prepare(folder)
    assert np.array_equal(data.pictures([0])[0], np.asarray(picture(5, height=16, width=16)))
    assert data.size_conditioning([0]).tolist() == [[16, 16, 0, 0]]


def test_held_out_captions_are_a_stable_share(tmp_path: Path) -> None:
    several = {f"{number}.png": f"picture {number}" for number in range(300)}
    few = prepare(write_folder(tmp_path / "few", dict(list(several.items())[:150])))
    many = prepare(write_folder(tmp_path / "many", several))
    assert captions(many).isdisjoint(many.held_out)
    assert captions(many) | {*many.held_out} == {*several.values()}
    assert 1 <= len(many.held_out) <= 300 * HELD_OUT_SHARE * 3
    assert {*few.held_out} == {*many.held_out} & {*list(several.values())[:150]}, "more pictures move none across"
    assert many.held_out_prompts(2) == list(many.held_out[:2])


def test_a_caption_in_other_letters_is_held_out_with_it(tmp_path: Path) -> None:
    data = prepare(write_folder(tmp_path / "two", {"a.png": "A  cat", "b.png": "a cat", "c.png": "a dog"}))
    assert {*data.held_out} in ({"A  cat", "a cat"}, {"a dog"})
    assert data.size == 3 - len(data.held_out)


def test_pictures_of_one_caption_are_all_trained_on(tmp_path: Path) -> None:
    data = prepare(write_folder(tmp_path / "same", {"a.png": "my cat", "b.png": "my cat"}))
    assert data.size == 2
    assert data.held_out_prompts(8) == ["my cat"]


def test_one_of_several_captions_is_drawn(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pictures", {"a.png": "-"})
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "captions": ["a cat", "a cat", "a cat"]}))
    assert prepare(folder).distinct_captions() == ["a cat"]
    records = (
        {"file_name": "a.png", "captions": [f"{word} {number}" for number in range(3)]} for word in ("cat", "dog")
    )
    folder = write_folder(tmp_path / "more", {"a.png": "-"})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, records)))
    data = prepare(folder)
    rng = np.random.default_rng(0)
    drawn = {data.caption(0, rng) for _ in range(50)}
    assert drawn == {*data.distinct_captions()}
    assert len(drawn) == 3


def test_the_index_is_made_once_and_of_one_source(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pictures", {"a.png": "a cat", "b.png": "a dog"})
    first = prepare(folder)
    index = tmp_path / "pictures-index" / "000000.parquet"
    before = index.stat().st_mtime_ns
    assert prepare(folder).fingerprint == first.fingerprint
    assert index.stat().st_mtime_ns == before
    (folder / "a.png").write_bytes(png(9))
    with pytest.raises(ValueError, match=r"pictures-index holds an index of pictures of other data.*delete .*index"):
        prepare(folder)


def test_a_picture_that_changes_later_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pictures", {"a.png": "my cat"})
    data = prepare(folder)
    (folder / "a.png").unlink()
    with pytest.raises(ValueError, match=r"a\.png has changed since it was examined"):
        data.pictures([0])
