"""Readers of files, one for each kind. An error is one sentence that names the file and its actual content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.utils.errors import gist
from hypersd.utils.file_kinds import check_file, kind_of, misread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Shape = tuple[int, ...]

_ANEW = "delete it to create it again"
_ROWS = 1024
"""Rows of an array that are held in memory at a time."""


def read_json(file: Path, schema: Any, wanted: str) -> Any:
    """A JSON file as an instance of a type, with all fields checked.

    Args:
        file: the file.
        schema: a dataclass, or any type of the standard library: `dict[str, int]`.
        wanted: the expected content, with its article: "a contestant's card".

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file is not JSON, or a field is missing or has another type.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - slow, and most commands read no JSON

    check_file(file, wanted)
    content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        return TypeAdapter(schema).validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise misread(file, wanted, f"{where}: {first['msg']}" if where else first["msg"]) from error


def read_object(file: Path, wanted: str, *keys: str) -> Mapping[str, Any]:
    """A JSON object with some required keys; their values are not checked.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file is not a JSON object, or a key is missing.
    """
    entries: Mapping[str, Any] = read_json(file, dict[str, Any], wanted)
    if missing := [key for key in keys if key not in entries]:
        raise misread(file, wanted, f"it has no {missing[0]!r}")
    return entries


def tensor_shapes(file: Path) -> dict[str, Shape]:
    """The name and shape of every tensor in a safetensors file.

    Raises:
        OSError, ValueError: as `tensor_header`.
    """
    return tensor_header(file)[0]


def tensor_header(file: Path) -> tuple[dict[str, Shape], dict[str, str]]:
    """The shape of every tensor in a safetensors file by its name, and the file's metadata.

    Only the header is read, but the file's length is checked.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file is truncated, or not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - loads NumPy

    check_file(file, "a safetensors file")
    try:
        with safe_open(file, framework="np") as opened:
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
            return shapes, opened.metadata() or {}
    except SafetensorError as error:
        raise misread(file, "a safetensors file", _plain(gist(error))) from error


def _plain(reason: str) -> str:
    """A safetensors error in plain words."""
    if "not fully covered" in reason or "too small" in reason:
        return "it is truncated; copy or download it again"
    return reason.removeprefix("Error while deserializing header: ")


def check_array(file: Path, shape: Shape, wanted: str) -> NDArray[np.float16]:
    """A NumPy file of float16 numbers `(N, *shape)`, N at least 1, left on disk.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file is truncated or not an array, or has another type or shape: it is another family's.
    """
    import numpy as np  # noqa: PLC0415 - slow, and most commands read no array

    check_file(file, wanted)
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise ValueError(f"{misread(file, wanted, gist(error), expected='a NumPy array')}; {_ANEW}") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.float16 or not array.ndim or not len(array):
        raise ValueError(f"{file} is not {wanted}: its numbers are not float16; {_ANEW}")
    if array.shape[1:] != shape:
        raise ValueError(
            f"{file} is not {wanted}: its rows have the shape {array.shape[1:]}, but this model needs {shape}; "
            "they belong to another family"
        )
    return array


def read_array(file: Path, shape: Shape, wanted: str) -> NDArray[np.float16]:
    """An array that passes `check_array`, left on disk; all numbers are checked once.

    Raises:
        OSError, ValueError: as `check_array`; or a number is not finite.
    """
    import numpy as np  # noqa: PLC0415 - slow, and most commands read no array

    array = check_array(file, shape, wanted)
    if not all(np.isfinite(array[start : start + _ROWS]).all() for start in range(0, len(array), _ROWS)):
        raise ValueError(f"{file} contains numbers that are not finite; {_ANEW}")
    return array


def read_picture(file: Path) -> Image.Image:
    """A picture file, fully decoded, in its own mode.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file is truncated, or not a picture.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - slow, and most commands read no picture

    check_file(file, "a picture")
    try:
        with Image.open(file) as opened:
            opened.load()
            return opened.copy()
    except UnidentifiedImageError as error:
        raise misread(file, "a picture", "its format is unknown") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise misread(file, "a picture", gist(error), expected=kind_of(file)) from error
