"""Output folders: a command replaces only files that it wrote itself in an earlier run.

The record of a command (`comparison.json`, a dataset's card) lists its files. While a command runs, and after an
interrupted run, a hidden manifest lists them.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from hypersd.utils.files import write_json

MANIFEST = ".hypersd.json"
_LISTED = 3
"""Largest number of files that an error message names."""

Owners = Mapping[str, Sequence[str]]
"""Names of files by the command that wrote them. They are `glob` patterns relative to the folder, with `/`; a folder's
name stands for its whole content."""


@contextmanager
def output_folder(
    folder: Path, command: str, names: Iterable[str], recognise: Callable[[Path], Owners], *, keep: bool = False
) -> Generator[Path]:
    """Yield `folder`, created if necessary, for a command to write its files to.

    At the end, files of the command's earlier run that this run did not write again are removed, so that a folder never
    mixes two runs; if the command fails before it has written anything, they all stay.

    Args:
        folder: receives the files; it need not exist.
        command: words after `hypersd` that identify this kind of output, such as `votes export --format arena`.
        names: of all files that the command may write, as in `Owners`.
        recognise: reads the owners of files in the folder from the records there.
        keep: the command continues with the existing files, so nothing is removed.

    Raises:
        ValueError: a file of one of these names was not written by the command; the message names it, nothing changes.
        OSError: the folder cannot be written.
    """
    names, recorded, value = list(names), _read(folder), recognise(folder)
    own = _existing(folder, [*recorded.get(command, ()), *value.get(command, ())])
    if foreign := sorted(_existing(folder, names) - own):
        raise ValueError(_complaint(folder, foreign, {**value, **recorded}))
    before = {file: _version(file) for file in own if not keep and file.is_file()}
    folder.mkdir(parents=True, exist_ok=True)
    _record(folder, recorded, command, [*_exact(folder, own), *names])
    try:
        yield folder
    finally:
        stale = [file for file, version in before.items() if file.is_file() and _version(file) == version]
        if len(stale) < len(before) or _existing(folder, names) - own:
            _remove(folder, stale)
        mine = own | _existing(folder, names)
        untold = mine - _existing(folder, recognise(folder).get(command, ()))
        _record(folder, recorded, command, _exact(folder, (file for file in untold if file.exists())))


def _existing(folder: Path, names: Iterable[str]) -> set[Path]:
    """Existing files and folders of these names; names outside the folder are ignored."""
    inside = (name for name in names if (parts := PurePosixPath(name).parts) and parts[0] != "/" and ".." not in parts)
    return {path for name in inside for path in folder.glob(name)}


def _exact(folder: Path, files: Iterable[Path]) -> list[str]:
    """Names of existing files, as patterns that match nothing else."""
    return sorted(glob.escape(file.relative_to(folder).as_posix()) for file in files)


def _version(file: Path) -> tuple[int, int]:
    """Inode and modification time: at least one changes when a file is written again (`hypersd.utils.files`)."""
    status = file.stat()
    return status.st_ino, status.st_mtime_ns


def _read(folder: Path) -> Owners:
    """Read the folder's manifest; empty if there is none.

    Raises:
        ValueError: it is damaged.
    """
    file = folder / MANIFEST
    try:
        owners = json.loads(file.read_text(encoding="utf-8"))["made_by"]
        if all(isinstance(name, str) for names in owners.values() for name in names):
            return owners
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ValueError(f"{file} is damaged, so the owner of these files is unknown; choose another folder")


def _record(folder: Path, recorded: Owners, command: str, names: Sequence[str]) -> None:
    """Write the manifest with these names for the command; an empty manifest is removed."""
    owners = {owner: list(files) for owner, files in {**recorded, command: names}.items() if files}
    if owners:
        write_json(folder / MANIFEST, {"made_by": owners})
    else:
        (folder / MANIFEST).unlink(missing_ok=True)


def _remove(folder: Path, files: Iterable[Path]) -> None:
    """Remove files, and then empty folders in `folder`."""
    for file in files:
        file.unlink(missing_ok=True)
        for parent in file.relative_to(folder).parents[:-1]:
            with suppress(OSError):  # not empty
                (folder / parent).rmdir()


def _complaint(folder: Path, foreign: Sequence[Path], owners: Owners) -> str:
    names = [path.relative_to(folder).as_posix() for path in foreign]
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    makers = [maker for maker, theirs in owners.items() if _existing(folder, theirs) & set(foreign)]
    if makers:
        return f"{folder} contains output of `hypersd {makers[0]}` ({listed}); choose another folder"
    return f"{folder} contains {listed}, which this command did not write and would replace; choose another folder"
