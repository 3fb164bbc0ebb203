"""The content-addressed store of pictures, and the side-by-side image of a battle."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hypersd.arena.votes.images import DamagedImage, IdenticalImages, ImageStore, encode, side_by_side


def noise(size: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_a_picture_is_stored_losslessly_under_its_hash(tmp_path: Path) -> None:
    pictures, picture = ImageStore(str(tmp_path)), noise(16)
    name = pictures.put(picture)
    assert pictures.put(picture.copy()) == name
    assert np.array_equal(np.asarray(pictures.open(name)), np.asarray(picture))
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_a_picture_has_no_metadata() -> None:
    marked = noise(16)
    marked.info |= {"parameters": "hyper, 4 steps", "exif": b"Exif\0\0hyper"}
    assert encode(marked) == encode(noise(16))
    assert chunks(encode(marked)) == [b"VP8L"]
    assert chunks(side_by_side(marked, noise(16, 1))) == [b"VP8L"]
    assert encode(noise(16).convert("RGBA")) == encode(noise(16))


def test_the_metadata_of_a_picture_is_removed(tmp_path: Path) -> None:
    """With the metadata of `compare`; blind voters must not find the model in the file."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("model", "emoji/hyper")
    texts.add_itxt("prompt", "猫")
    noise(16).save(tmp_path / "told.png", pnginfo=texts)
    with Image.open(tmp_path / "told.png") as value:
        pictures = ImageStore(str(tmp_path / "kept"))
        kept = pictures.get(pictures.put(value))
        assert value.text["model"] == "emoji/hyper"
        for data in (kept, side_by_side(value, pictures.open(sha256(kept).hexdigest()))):
            assert chunks(data) == [b"VP8L"]
            assert b"hyper" not in data


def chunks(data: bytes) -> list[bytes]:
    """Chunks of a WebP file."""
    names, at = [], 12
    while at < len(data):
        names.append(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return names


def test_damage_is_found(tmp_path: Path) -> None:
    pictures = ImageStore(str(tmp_path))
    name = pictures.put(noise(16))
    [file] = tmp_path.rglob("*.webp")
    file.write_bytes(b"something else")
    with pytest.raises(DamagedImage, match="damaged"):
        pictures.get(name)
    with pytest.raises(OSError, match="damaged"):
        pictures.open(name)
    with pytest.raises(FileNotFoundError):
        pictures.get("0" * 64)


@pytest.mark.parametrize("left", [b"", b"cut off"])
def test_storing_a_damaged_picture_again_repairs_it(tmp_path: Path, left: bytes) -> None:
    pictures = ImageStore(str(tmp_path))
    name = pictures.put(noise(16))
    data = pictures.get(name)
    [file] = tmp_path.rglob("*.webp")
    for again in (lambda: pictures.put(noise(16)), lambda: pictures.keep(name, data)):
        file.write_bytes(left)
        again()
        assert pictures.get(name) == data


def test_concurrent_writes_of_a_picture_store_it_once(tmp_path: Path) -> None:
    pictures, together = ImageStore(str(tmp_path)), threading.Barrier(8, timeout=20)
    kept = [encode(noise(64, seed)) for seed in range(20)]

    def bring(_: int) -> None:
        for data in kept:
            together.wait()
            pictures.keep(sha256(data).hexdigest(), data)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(bring, range(8)))
    names = {sha256(data).hexdigest() for data in kept}
    assert {file.name for file in tmp_path.rglob("*.*")} == {f"{name}.webp" for name in names}
    for name in names:
        pictures.get(name)


def test_a_picture_must_match_its_name(tmp_path: Path) -> None:
    pictures = ImageStore(str(tmp_path))
    for name, data in (("0" * 64, encode(noise(8))), ("../../elsewhere", b"x")):
        with pytest.raises(ValueError, match="does not match its name"):
            pictures.keep(name, data)
    assert not list(tmp_path.rglob("*"))


def test_a_bucket_works_too() -> None:
    pictures = ImageStore("memory://arena-pictures")
    assert pictures.open(pictures.put(noise(8))).size == (8, 8)


def test_a_failed_write_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="pictures"):
        ImageStore(str(tmp_path / "pictures")).put(noise(8))
    assert [file.name for file in tmp_path.rglob("*")] == ["pictures"]


_FULL = """
import resource, sys
import numpy as np
from PIL import Image, PngImagePlugin
from hypersd.arena.votes.images import ImageStore
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
try:
    ImageStore(sys.argv[1]).put(Image.fromarray(pixels))
except OSError as error:
    print("refused")
"""


def test_a_full_disk_is_an_error_and_leaves_no_partial_file(tmp_path: Path) -> None:
    """Simulated by a limit on the file size: only the first 1,000 bytes are written."""
    done = subprocess.run([sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@pytest.mark.parametrize(("left", "right"), [((64, 64), (128, 128)), ((128, 128), (64, 64)), ((96, 96), (96, 96))])
def test_both_halves_of_a_side_by_side_image_have_the_same_size(left: tuple[int, int], right: tuple[int, int]) -> None:
    side = max(*left, *right)
    shown = Image.open(
        io.BytesIO(side_by_side(Image.new("RGB", left, "red"), Image.new("RGB", right, "blue")))
    ).convert("RGB")
    assert shown.size == (2 * side, side)
    halves = np.split(np.asarray(shown), 2, axis=1)
    assert [np.unique(half.reshape(-1, 3), axis=0).tolist() for half in halves] == [[[255, 0, 0]], [[0, 0, 255]]]


def test_pictures_of_other_shapes_are_not_distorted() -> None:
    shown = Image.open(
        io.BytesIO(side_by_side(Image.new("RGB", (96, 48), "red"), Image.new("RGB", (24, 48), "blue")))
    ).convert("RGB")
    assert shown.size == (192, 96)
    red, blue = np.split(np.asarray(shown), 2, axis=1)
    assert np.argwhere((red == [255, 0, 0]).all(axis=2)).min(axis=0).tolist() == [24, 0]
    assert (red == [255, 0, 0]).all(axis=2).sum() == 96 * 48, "as wide as the half, in the middle"
    assert (blue == [0, 0, 255]).all(axis=2).sum() == 48 * 96, "scaled up to its height"


def test_a_side_by_side_image_shows_each_picture_unchanged() -> None:
    shown = np.asarray(Image.open(io.BytesIO(side_by_side(noise(32, 1), noise(32, 2)))).convert("RGB"))
    assert np.array_equal(shown, np.concatenate([np.asarray(noise(32, 1)), np.asarray(noise(32, 2))], axis=1))


def test_a_prepared_side_by_side_image_is_sent_until_it_is_removed(tmp_path: Path) -> None:
    pictures = ImageStore(str(tmp_path))
    first, second, third = (pictures.put(noise(16, seed)) for seed in range(3))
    fresh = pictures.sheet(first, second), pictures.sheet(second, first)
    for pair in ((first, second), (second, third)):
        pictures.prepare_sheets(*pair)
    folder = tmp_path / "sheets"
    assert len(list(folder.iterdir())) == 4, "both orders of both pairs"
    for file in tmp_path.glob("*/*.webp"):
        file.unlink()
    assert (pictures.sheet(first, second), pictures.sheet(second, first)) == fresh
    pictures.remove_sheets([(first, second)])
    assert {file.name for file in folder.iterdir()} == {f"{first}-{second}", f"{second}-{first}"}
    (folder / f"{first}-{second}").write_bytes(b"cut off")
    with pytest.raises(FileNotFoundError):
        pictures.sheet(first, second)  # it is damaged, and cannot be made again


def test_equal_pictures_are_not_prepared(tmp_path: Path) -> None:
    pictures = ImageStore(str(tmp_path))
    name = pictures.put(noise(16, 1))
    with pytest.raises(IdenticalImages):
        pictures.prepare_sheets(name, name)
