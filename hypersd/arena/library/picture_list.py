"""Lists of pictures for an arena: a table, or a folder with a folder for each model. All are checked before use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypersd.arena.dataset.log_files import read_rows
from hypersd.arena.dataset.values import is_missing, whole
from hypersd.arena.library.picture_library import UNKNOWN_SEED, LibraryPicture, read_checked
from hypersd.utils.file_kinds import check_file, read_text

TABLES = ("pictures.csv", "metadata.csv", "metadata.jsonl")
"""Names under which a folder's table is found."""

_ENDINGS = {".png", ".jpg", ".jpeg", ".webp"}
_FILE_COLUMNS = ("file", "file_name")
_LONGEST_PROMPT, _LONGEST_MODEL = 2000, 70
_MOST_STEPS = 9999
_NAMED = 3
"""Number of faults that an error names."""

_LAYOUT = (
    f"a table with the columns prompt, model, file and maybe seed and steps ({', '.join(TABLES)}), or a folder for "
    "each model with pictures of the same names"
)


@dataclass(frozen=True, slots=True)
class ListedPicture:
    """A picture of a list.

    Args:
        where: its place in the list, for messages.
        file: to copy.
        picture: its entry in the library.
    """

    where: str
    file: Path
    picture: LibraryPicture


def read_pictures(source: Path) -> list[ListedPicture]:
    """The pictures of a table (CSV, JSON Lines, JSON), of a folder with a table, or of a folder for each model.

    Files are relative to the table's folder and must be inside it. In a folder for each model, the prompt of a picture
    is in the text file of its name, there or in the folder above, or is its name.

    Raises:
        OSError: a file cannot be read.
        ValueError: something is wrong with the list or with a picture; the message names the first faults.
    """
    listed: list[ListedPicture] = []
    faults: list[str] = []
    places: dict[tuple[str, int, str, int], str] = {}
    for where, root, row in _rows(source):
        try:
            entry = ListedPicture(where, *_picture(root, row))
        except ValueError as error:
            faults.append(f"{where}: {error}")
            continue
        listed.append(entry)
        if (earlier := places.setdefault(entry.picture.place, where)) != where:
            faults.append(f"{where}: it is the same prompt, seed and model as {earlier}; give each try its own seed")
    if faults:
        more = f"; and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
        raise ValueError(f"{source}: {'; '.join(faults[:_NAMED])}{more}; nothing was written")
    if not listed:
        raise ValueError(f"{source} has no pictures; it needs {_LAYOUT}")
    return listed


def _rows(source: Path) -> Iterator[tuple[str, Path, Mapping[str, Any] | str]]:
    """Each picture's place in the list, the folder of its file, and its row or what is wrong with it."""
    if not source.is_dir():
        check_file(source, "a list of pictures")
        yield from _table(source)
        return
    tables = [source / name for name in TABLES if (source / name).is_file()]
    if tables:
        yield from _table(tables[0])
        return
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        for file in sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS):
            name = file.relative_to(source).as_posix()
            yield name, source, {"file": name, "model": folder.name, "prompt": _prompt_of(file)}


def _table(file: Path) -> Iterator[tuple[str, Path, Mapping[str, Any] | str]]:
    try:
        with file.open("rb") as opened:
            for number, row in read_rows(opened):
                yield f"row {number}", file.parent, row
    except ValueError as error:
        raise ValueError(f"{file} is not a list of pictures: {error}; it needs {_LAYOUT}") from error


def _prompt_of(file: Path) -> str:
    texts = (file.with_suffix(".txt"), file.parent.parent / f"{file.stem}.txt")
    text = next((text for text in texts if text.is_file()), None)
    return read_text(text).strip() if text else file.stem.replace("_", " ")


def _picture(root: Path, row: Mapping[str, Any] | str) -> tuple[Path, LibraryPicture]:
    """The file and the entry of a row.

    Raises:
        ValueError: the row, or its picture, cannot be used.
    """
    if isinstance(row, str):
        raise ValueError(row)  # noqa: TRY004 - the data is wrong, not a call
    name = next((row[column] for column in _FILE_COLUMNS if not is_missing(row.get(column))), None)
    prompt, model = _text(row, "prompt", _LONGEST_PROMPT), _text(row, "model", _LONGEST_MODEL)
    seed, steps = whole(row.get("seed"), "the seed"), whole(row.get("steps"), "the number of steps")
    if (steps or 0) > _MOST_STEPS:
        raise ValueError(f"the number of steps must be up to {_MOST_STEPS}, not {steps}")
    if not isinstance(name, str):
        raise ValueError("it names no file")  # noqa: TRY004 - as above
    file = _inside(root, name)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from error
    try:
        pixels = read_checked(data)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    entry = LibraryPicture(
        prompt=prompt,
        model=model,
        steps=steps or 0,
        seed=UNKNOWN_SEED if seed is None else seed,
        file=sha256(data).hexdigest(),
        pixels=pixels,
    )
    return file, entry


def _text(row: Mapping[str, Any], column: str, longest: int) -> str:
    value = row.get(column)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text:
        raise ValueError(f"it has no {column}")
    if len(text) > longest:
        raise ValueError(f"its {column} has {len(text):,} characters; {longest:,} are the most")
    if not text.isprintable():
        raise ValueError(f"its {column} has control characters in it")
    return text


def _inside(root: Path, name: str) -> Path:
    """The file of a name, links followed.

    Raises:
        ValueError: it is outside of the folder: a list from elsewhere must not read other files of this machine.
    """
    file = Path()
    try:
        file = (root / name).resolve()
        inside = file.is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise ValueError(f"{name!r} is not a file in {root}")
    return file
