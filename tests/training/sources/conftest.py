"""Small captioned pictures in every form that a source may have."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, *, height: int = 24, width: int = 36) -> Image.Image:
    """A picture of its own for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png(seed: int, *, height: int = 24, width: int = 36) -> bytes:
    """The content of a PNG file."""
    buffer = io.BytesIO()
    picture(seed, height=height, width=width).save(buffer, "PNG")
    return buffer.getvalue()


def write_folder(folder: Path, captions: Mapping[str, str]) -> Path:
    """Pictures by their names, with `metadata.jsonl`."""
    for seed, name in enumerate(captions):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(seed))
    records = [{"file_name": name, "text": caption} for name, caption in captions.items()]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def write_tar(file: Path, members: Mapping[str, bytes]) -> Path:
    """A tar archive of files by their names."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return file
