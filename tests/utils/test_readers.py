"""Readers of files: what is whole is read, and what is not is said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hypersd.utils.file_kinds import kind_of, read_text
from hypersd.utils.readers import read_array, read_json, read_object, read_picture, tensor_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    name: str
    steps: list[int]
    share: float = 0.0


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n..", "a PNG picture"),
        (b"\xff\xd8\xff\xe0..", "a JPEG picture"),
        (b"RIFF\0\0\0\0WEBPVP8L", "a WebP picture"),
        (b"PAR1..", "a Parquet file"),
        (b"PK\x03\x04..", "a zip archive (a PyTorch pickle is one)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"", "empty"),
        (b"hello", ""),
    ],
)
def test_kinds_are_told_by_the_first_bytes(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "file").write_bytes(content)
    assert kind_of(tmp_path / "file") == kind
    assert kind_of(tmp_path) == "a directory"


def test_json_is_read_as_a_dataclass(tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    file.write_text('\ufeff{"name": "größer", "steps": [1, 2], "share": 1, "later": null}', encoding="utf-8")
    assert read_json(file, Card, "a card") == Card(name="größer", steps=[1, 2], share=1.0)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{}", "name: Field required"),
        ('{"name": 3, "steps": []}', "name: Input should be a valid string"),
        ('{"name": "a", "steps": [1, "2"]}', r"steps\.1: Input should be a valid integer"),
        ("[]", "card.json is damaged, or not a card"),
        ("{", "Invalid JSON"),
        ("", "is empty, not a card"),
        ("\ud800", "card.json is damaged, or not a card"),
    ],
)
def test_other_json_is_refused_by_the_field_that_is_wrong(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "card.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=complaint):
        read_json(file, Card, "a card")


def test_an_object_must_have_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"a": 1}))
    assert read_object(file, "a configuration", "a") == {"a": 1}
    with pytest.raises(ValueError, match="it has no 'b'"):
        read_object(file, "a configuration", "a", "b")


def test_tensors_are_looked_at_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(3, 4), "y": torch.zeros(5)}, file)
    assert tensor_shapes(file) == {"x": (3, 4), "y": (5,)}
    content = file.read_bytes()
    for length in (1, 7, 20, len(content) - 1):
        file.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"a\.safetensors is damaged.*"):
            tensor_shapes(file)
    file.write_bytes(content + b"more")
    with pytest.raises(ValueError, match=r"a\.safetensors is damaged"):
        tensor_shapes(file)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 4, 8, 9), dtype=np.float16),
        np.zeros((0, 4, 8, 8), dtype=np.float16),
        np.zeros((2, 4, 8, 8), dtype=np.float32),
        np.full((2, 4, 8, 8), np.nan, dtype=np.float16),
        np.zeros(3, dtype=np.float16),
        np.array([{"a": 1}], dtype=object),
    ],
)
def test_arrays_of_another_shape_kind_or_with_holes_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    file = tmp_path / "latents.npy"
    np.save(file, np.ones((2, 4, 8, 8), dtype=np.float16))
    assert read_array(file, (4, 8, 8), "latents").sum() == 512
    np.save(file, array)
    with pytest.raises(ValueError, match=r"latents\.npy"):
        read_array(file, (4, 8, 8), "latents")


def test_pictures_are_decoded_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (64, 64), "teal").save(file)
    assert read_picture(file).size == (64, 64)
    content = file.read_bytes()
    for broken in (content[:40], content[: len(content) // 2], b"hello", b"PAR1"):
        file.write_bytes(broken)
        with pytest.raises(ValueError, match=r"a\.png is"):
            read_picture(file)


def test_text_is_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffgrößer".encode())
    assert read_text(file) == "größer"
    for broken in ("größer".encode("latin-1"), "a".encode("utf-16"), b"version https://git-lfs.github.com/spec/v1\n"):
        file.write_bytes(broken)
        with pytest.raises(ValueError, match=r"a\.txt is .*UTF-8"):
            read_text(file)
