"""Kinds of files by their first bytes, for error messages, and the reader of text files."""

from __future__ import annotations

from pathlib import Path

_HEAD = 32
"""Number of bytes that identify the kinds below."""

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
    """The kind of a file by its first bytes, with its article ("a PNG picture"); empty if it is unknown.

    Raises:
        OSError: the file is missing or cannot be read.
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
    """The error for a file that exists but has the wrong content.

    Args:
        file: the file.
        wanted: the expected content, with its article: "a safetensors file".
        reason: the message of its reader.
        expected: the expected kind, as named by `kind_of`; a file of this kind is described by the reason alone.
    """
    kind = kind_of(file)
    if kind == "a git-lfs pointer":
        return ValueError(f"{file} is a git-lfs pointer, not {wanted}; fetch the file itself with `git lfs pull`")
    if kind and kind != expected:
        return ValueError(f"{file} is {kind}, not {wanted}")
    return ValueError(f"{file} is damaged, or not {wanted}: {' '.join(reason.split())}")


def check_file(file: Path, wanted: str) -> None:
    """Check that a path is a file.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: the path is a folder.
    """
    if file.is_dir():
        raise ValueError(f"{file} is a directory, not {wanted}")
    if not file.exists():
        raise FileNotFoundError(f"{file}: No such file or directory")


def read_text(file: Path) -> str:
    """A text file in UTF-8, with or without a byte order mark.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file is not UTF-8.
    """
    wanted = "a text file in UTF-8"
    check_file(file, wanted)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise misread(file, wanted, str(error)) from error
    if text.startswith(_LFS.decode()):  # a pointer is text, but never the wanted one
        raise misread(file, wanted, "")
    return text
