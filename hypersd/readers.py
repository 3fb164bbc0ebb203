"""Readers of files, one for each kind. A complaint is one sentence that names the file and says what it is instead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.errors import gist

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Shape = tuple[int, ...]

_HEAD = 32
"""Bytes that are enough to tell the kinds below apart."""

_LFS = b"version https://git-lfs"
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"PK\x03\x04", "a zip archive (a PyTorch pickle is one)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"%PDF", "a PDF document"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
)


def kind_of(file: Path) -> str:
    """The kind of a file by its first bytes, with its article ("a PNG picture"); empty if it is none of the known ones.

    Raises:
        OSError: it is missing or cannot be read.
    """
    if file.is_dir():
        return "a directory"
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    if head.startswith(_LFS):
        return "a git-lfs pointer"
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), "" if head else "empty")


def misread(file: Path, wanted: str, reason: str, expected: str = "") -> ValueError:
    """The complaint about a file that is there, but not what it should be.

    Args:
        file: the file.
        wanted: what it should be, with its article: "a safetensors file".
        reason: what its reader said.
        expected: the kind that the file should be of, as `kind_of` names it; then only the reason is worth telling.
    """
    kind = kind_of(file)
    if kind == "a git-lfs pointer":
        return ValueError(f"{file} is a git-lfs pointer, not {wanted}; fetch the file itself with `git lfs pull`")
    if kind and kind != expected:
        return ValueError(f"{file} is {kind}, not {wanted}")
    return ValueError(f"{file} is damaged, or not {wanted}: {' '.join(reason.split())}")


def _check_file(file: Path, wanted: str) -> None:
    """See that something can be read at a path.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: a folder is there.
    """
    if file.is_dir():
        raise ValueError(f"{file} is a directory, not {wanted}")
    if not file.exists():
        raise FileNotFoundError(f"{file}: No such file or directory")


def read_text(file: Path) -> str:
    """A text file in UTF-8, with or without a byte order mark.

    Raises:
        OSError: it is missing or cannot be read.
        ValueError: it is not UTF-8.
    """
    wanted = "a text file in UTF-8"
    _check_file(file, wanted)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise misread(file, wanted, str(error)) from error
    if text.startswith(_LFS.decode()):  # it is text, but nobody's
        raise misread(file, wanted, "")
    return text


def read_json(file: Path, schema: Any, wanted: str) -> Any:
    """A JSON file as an instance of a type, all of whose fields are checked.

    Args:
        file: the file.
        schema: a dataclass, or any type of the standard library: `dict[str, int]`.
        wanted: what the file should be, with its article: "a contestant's card".

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is no JSON, or a field is missing or of another type.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - slow, and most commands read no JSON

    _check_file(file, wanted)
    content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        return TypeAdapter(schema).validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise misread(file, wanted, f"{where}: {first['msg']}" if where else first["msg"]) from error


def read_object(file: Path, wanted: str, *keys: str) -> Mapping[str, Any]:
    """A JSON object that has some keys, whatever their values.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is no JSON object, or a key is missing.
    """
    entries: Mapping[str, Any] = read_json(file, dict[str, Any], wanted)
    if missing := [key for key in keys if key not in entries]:
        raise misread(file, wanted, f"it has no {missing[0]!r}")
    return entries


def tensor_shapes(file: Path) -> dict[str, Shape]:
    """The name and shape of every tensor in a safetensors file. Only its header is read, but its length is checked.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is cut off, or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - loads NumPy

    _check_file(file, "a safetensors file")
    try:
        with safe_open(file, framework="np") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise misread(file, "a safetensors file", _plain(gist(error))) from error


def _plain(reason: str) -> str:
    """The reason that safetensors gives, in words for people."""
    if "not fully covered" in reason or "too small" in reason:
        return "it is cut off; copy or download it again"
    return reason.removeprefix("Error while deserializing header: ")


def check_array(file: Path, shape: Shape, wanted: str) -> NDArray[np.float16]:
    """A NumPy file of float16 numbers `(N, *shape)`, N at least 1, left on disk.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is cut off, no array, or of other numbers or another shape.
    """
    import numpy as np  # noqa: PLC0415 - slow, and most commands read no array

    _check_file(file, wanted)
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise misread(file, wanted, gist(error), expected="a NumPy array") from error
    if not isinstance(array, np.ndarray):
        raise misread(file, wanted, "it holds several arrays")
    if array.dtype != np.float16 or array.shape[1:] != shape or not len(array):
        raise ValueError(
            f"{file} is not {wanted}: it has {array.dtype} numbers of shape {array.shape}, "
            f"not float16 of (N, {', '.join(map(str, shape))}); those of another family do not fit"
        )
    return array


def read_array(file: Path, shape: Shape, wanted: str) -> NDArray[np.float16]:
    """All numbers of a file that `check_array` lets pass.

    Raises:
        OSError, ValueError: as `check_array`; or a number is not finite.
    """
    import numpy as np  # noqa: PLC0415 - slow, and most commands read no array

    array = np.array(check_array(file, shape, wanted))
    if not np.isfinite(array).all():
        raise ValueError(f"{file} has numbers in it that are not finite; delete it and it is made anew")
    return array


def read_picture(file: Path) -> Image.Image:
    """A picture file, decoded whole, in the mode that it was saved in.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is cut off, or no picture.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - slow, and most commands read no picture

    _check_file(file, "a picture")
    try:
        with Image.open(file) as opened:
            opened.load()
            return opened.copy()
    except UnidentifiedImageError as error:
        raise misread(file, "a picture", "its format is unknown") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise misread(file, "a picture", gist(error), expected=kind_of(file)) from error
