from __future__ import annotations

import io
import json
import os
from pathlib import Path

import datasets
import pytest
from PIL import Image

from hypersd.training.sources.decoding import decode
from hypersd.training.sources.opening import open_source
from tests.training.sources.conftest import png, write_folder

CAPTIONS = {"a.png": "a cat", "test-b.png": "a dog", "deep/c.png": "an owl, “quoted”\u2028on two lines"}


def read(folder: Path, column: str | None = None) -> dict[str, list[str]]:
    source = open_source(str(folder), column)
    return {Path(source.name(row)).relative_to(folder).as_posix(): source.captions(row) for row in range(len(source))}


def test_metadata_is_read_as_datasets_reads_it(tmp_path: Path) -> None:
    names = {
        name.replace("test-", ""): caption for name, caption in CAPTIONS.items()
    }  # `datasets` would split them off
    folder = write_folder(tmp_path / "pictures", names)
    rows = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train")
    source = open_source(str(folder))
    ours = {source.captions(row)[0]: decode(source.picture(row)).tobytes() for row in range(len(source))}
    assert ours == {row["text"]: row["image"].tobytes() for row in rows}


def test_a_folder_of_any_name_is_read(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "my pictures [1]{a,b}*", CAPTIONS)
    assert read(folder) == {name: [caption] for name, caption in CAPTIONS.items()}


def test_captions_may_stand_in_text_files_beside(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.webp", "v1.5.png"):
        (tmp_path / name).write_bytes(png(0))
    (tmp_path / "a.txt").write_bytes("\ufeffa cat\n".encode())
    (tmp_path / "b.TXT").write_text("a dog")
    (tmp_path / "v1.5.txt").write_text("an owl")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "d.png").write_bytes(png(0))
    source = open_source(str(tmp_path))
    assert [Path(source.name(row)).name for row in range(len(source))] == ["a.JPG", "b.png", "c.webp", "v1.5.png"]
    assert [source.captions(row) for row in (0, 1, 3)] == [["a cat"], ["a dog"], ["an owl"]]
    with pytest.raises(ValueError, match="no caption"):
        source.captions(2)


def test_several_captions_and_other_columns(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.png": "-"})
    record = {"image_file_name": "a.png", "captions": ["a cat", " ", "a tabby"], "german": "eine Katze", "score": 5}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(record))
    assert read(tmp_path) == {"a.png": ["a cat", "a tabby"]}
    assert read(tmp_path, "german") == {"a.png": ["eine Katze"]}
    with pytest.raises(ValueError, match=r"no column italian .*captions, german, score.*--caption-column"):
        read(tmp_path, "italian")


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ('{"file_name": "a.png", "text"', "line 1 is no JSON"),
        ('{"file_name": "a.png", "text": "x"}\n[1]', "line 2 is no JSON object"),
        ('{"text": "x"}', "in one column, file_name; it has 0"),
        ('{"file_name": "a.png", "b_file_name": "a.png", "text": "x"}', "it has 2"),
        ('{"file_name": 3, "text": "x"}', "line 1 names no file"),
        ('{"file_name": "/etc/a.png", "text": "x"}', "line 1 names a file outside of its folder, /etc/a.png"),
        ('{"file_name": "b/../../a.png", "text": "x"}', "line 1 names a file outside"),
        ('{"file_name": "a.png", "label": "x"}', "no column text or caption"),
        ("", "holds no pictures"),
        ("\n\n", "holds no pictures"),
        (b"\xff\xfe", "not a text file in UTF-8"),
    ],
)
def test_metadata_that_cannot_be_used_is_one_sentence(tmp_path: Path, metadata: str | bytes, complaint: str) -> None:
    (tmp_path / "a.png").write_bytes(png(0))
    content = metadata if isinstance(metadata, bytes) else metadata.encode()
    (tmp_path / "metadata.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as raised:
        open_source(str(tmp_path))
    assert "\n" not in str(raised.value)


def test_the_fingerprint_follows_pictures_and_captions(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, CAPTIONS)
    before = open_source(str(folder)).fingerprint
    assert open_source(str(folder)).fingerprint == before
    os.utime(folder / "a.png", ns=(0, 1))
    touched = open_source(str(folder)).fingerprint
    assert touched != before
    metadata = folder / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace("a cat", "a cow"))
    assert open_source(str(folder)).fingerprint != touched


def test_captions_beside_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(0))
    (tmp_path / "a.txt").write_text("a cat")
    before = open_source(str(tmp_path)).fingerprint
    (tmp_path / "a.txt").write_text("a tabby")
    assert open_source(str(tmp_path)).fingerprint != before


def test_any_kind_of_picture_becomes_rgb(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    deep = Image.new("I;16", (4, 4), 32768)
    palette = Image.new("P", (4, 4))
    palette.info["transparency"] = 0
    kinds = {
        "clear.png": (clear, (255, 255, 255)),
        "deep.png": (deep, (128, 128, 128)),
        "palette.png": (palette, (255, 255, 255)),
        "ink.jpg": (Image.new("CMYK", (4, 4), (0, 0, 0, 255)), (0, 0, 0)),
        "grey.png": (Image.new("L", (4, 4), 7), (7, 7, 7)),
        "bits.png": (Image.new("1", (4, 4), 1), (255, 255, 255)),
    }
    for name, (image, colour) in kinds.items():
        image.save(tmp_path / name)
        seen = decode(tmp_path / name)
        assert seen.mode == "RGB"
        assert seen.getpixel((1, 1)) == pytest.approx(colour, abs=1), name


def test_a_photograph_stands_upright() -> None:
    photograph, exif = Image.new("RGB", (30, 20)), Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    buffer = io.BytesIO()
    photograph.save(buffer, "JPEG", exif=exif)
    assert decode(buffer.getvalue()).size == (20, 30)
