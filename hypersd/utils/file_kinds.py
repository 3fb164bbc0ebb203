"""Kinds of files, told by their first bytes, for complaints that name them; and the reader of text."""

from __future__ import annotations

from pathlib import Path

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


def check_file(file: Path, wanted: str) -> None:
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
    check_file(file, wanted)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise misread(file, wanted, str(error)) from error
    if text.startswith(_LFS.decode()):  # it is text, but nobody's
        raise misread(file, wanted, "")
    return text
