from __future__ import annotations

import json
import tarfile
from pathlib import Path

import datasets
import pytest

from hypersd.training.sources.decoding import decode
from hypersd.training.sources.opening import open_source
from hypersd.training.sources.tar_shards import expand_braces
from tests.training.sources.conftest import png, write_tar


def shards(folder: Path) -> Path:
    """Three shards of two examples, as img2dataset writes them."""
    for number in range(3):
        members: dict[str, bytes] = {}
        for key in (f"{number}0", f"{number}1"):
            members |= {f"{key}.png": png(int(key)), f"{key}.txt": f"picture {key}".encode()}
            members[f"{key}.json"] = json.dumps({"caption": f"other {key}", "width": 36}).encode()
        write_tar(folder / f"shard-{number:03d}.tar", members)
    return folder


def test_shards_are_read_as_datasets_reads_them(tmp_path: Path) -> None:
    files = [str(file) for file in sorted(shards(tmp_path).glob("*.tar"))]
    rows = datasets.load_dataset("webdataset", data_files={"train": files}, split="train")
    source = open_source(str(tmp_path))
    assert [source.captions(row) for row in range(len(source))] == [[row["txt"]] for row in rows]
    ours = [decode(source.picture(row)).tobytes() for row in range(len(source))]
    assert ours == [row["png"].convert("RGB").tobytes() for row in rows]


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("", 6), ("shard-{000..001}.tar", 4), ("shard-{000,002}.tar", 4), ("shard-*.tar", 6), ("shard-001.tar", 2)],
)
def test_shards_are_named_by_folder_braces_or_glob(tmp_path: Path, pattern: str, count: int) -> None:
    assert len(open_source(str(shards(tmp_path) / pattern))) == count


def test_braces_are_expanded_as_in_a_shell() -> None:
    assert expand_braces("a{08..10}b{x,y}.tar") == [f"a{n}b{c}.tar" for n in ("08", "09", "10") for c in "xy"]
    assert expand_braces("{9..11}") == ["9", "10", "11"]
    assert expand_braces("plain.tar") == ["plain.tar"]


def test_captions_come_from_json_where_there_is_no_text(tmp_path: Path) -> None:
    members = {"a.png": png(0), "a.json": b'{"caption": "a cat", "alt": "tabby"}', "b.png": png(1), "b.json": b"{"}
    members |= {"c.png": png(2), "d.txt": b"alone", "e.png": png(3), "e.txt": b"\xff", "f.jpg": png(4), "f.json": b"[]"}
    file = write_tar(tmp_path / "a.tar", members)
    source = open_source(str(file))
    assert source.captions(0) == ["a cat"]
    assert open_source(str(file), "alt").captions(0) == ["tabby"]
    for row, complaint in {1: "JSON is damaged", 2: "no caption", 4: "not in UTF-8", 5: "no object"}.items():
        with pytest.raises(ValueError, match=complaint):
            source.captions(row)
    with pytest.raises(ValueError, match="no picture"):
        source.picture(3)


def test_names_with_folders_and_dots_are_kept_apart(tmp_path: Path) -> None:
    members = {
        "x/a.png": png(0),
        "x/a.txt": b"one",
        "y/a.png": png(1),
        "y/a.txt": b"two",
        "._a.png": b"",
        "LICENSE": b"",
    }
    source = open_source(str(write_tar(tmp_path / "a.tar", members)))
    assert [source.captions(row) for row in range(len(source))] == [["one"], ["two"]]
    assert source.name(1).endswith("a.tar:y/a")


def test_no_member_leads_out_of_its_archive(tmp_path: Path) -> None:
    """Nothing is unpacked, and links are not followed."""
    (tmp_path / "secret.png").write_bytes(png(1))
    shard = write_tar(tmp_path / "inside" / "a.tar", {"../../out.png": png(2), "../../out.txt": b"a", "/b.png": png(3)})
    with tarfile.open(shard, "a") as archive:
        for name, kind in (("c.png", tarfile.SYMTYPE), ("d.png", tarfile.LNKTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, str(tmp_path / "secret.png")
            archive.addfile(link)
    before = set(tmp_path.rglob("*"))
    source = open_source(str(shard))
    assert [source.picture(index) for index in range(len(source))] == [png(2), png(3)]
    assert set(tmp_path.rglob("*")) == before


def test_a_shard_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "whole.tar", {"a.png": png(0, height=200, width=200), "a.txt": b"a cat"}).read_bytes()
    for name, content, complaint in (
        ("cut.tar", whole[:5000], "damaged, or not a tar archive"),
        ("packed.tar", b"\x1f\x8b" + whole, "is a gzip archive, not a tar archive"),
        ("empty.tar", b"", "is empty, not a tar archive"),
        ("text.tar", b"no archive" * 100, "damaged, or not a tar archive"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=complaint) as raised:
            open_source(str(tmp_path / name))
        assert name in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "kind", "complaint"),
    [
        ("shard-{000..003}.tar", FileNotFoundError, r"shard-003\.tar"),
        ("other-*.tar", FileNotFoundError, "no file fits"),
        ("gone", FileNotFoundError, "gone"),
        ("metadata.csv", ValueError, "is no source of pictures; give a folder"),
    ],
)
def test_what_is_no_source_is_one_sentence(tmp_path: Path, text: str, kind: type[Exception], complaint: str) -> None:
    shards(tmp_path)
    (tmp_path / "metadata.csv").touch()
    with pytest.raises(kind, match=complaint):
        open_source(str(tmp_path / text))


def test_shards_without_pictures_and_other_addresses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hold no pictures"):
        open_source(str(write_tar(tmp_path / "a.tar", {"a.txt": b"a cat"})))
    for address in ("s3://bucket/shards", "https://example.org/a.tar"):
        with pytest.raises(ValueError, match="is no source of pictures"):
            open_source(address)


def test_the_fingerprint_follows_the_shards(tmp_path: Path) -> None:
    before = open_source(str(shards(tmp_path))).fingerprint
    assert open_source(str(tmp_path)).fingerprint == before
    write_tar(tmp_path / "shard-001.tar", {"9.png": png(9), "9.txt": b"other"})
    assert open_source(str(tmp_path)).fingerprint != before
