"""Output folders: a command replaces what it made itself in an earlier run, and nothing else that is there.

A hidden file in the folder, `.hypersd.json`, says which files are of which command.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hypersd.files import write_json

MANIFEST = ".hypersd.json"
_NAMED = 3
"""How many files a complaint names."""

Owners = Mapping[str, Sequence[str]]
"""Names of files by the command that made them: relative to the folder, with `/`, some with `*`; a folder's name stands
for all that is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """Identity of a file's content: a file that is written anew differs in at least one of these."""

    inode: int
    modified: int

    @classmethod
    def of(cls, file: Path) -> _Version:
        status = file.lstat()
        return cls(inode=status.st_ino, modified=status.st_mtime_ns)


@contextmanager
def output_folder(
    folder: Path, command: str, names: Iterable[str], *, earlier: Owners | None = None, keep: bool = False
) -> Generator[Path]:
    """Yield `folder`, made if need be, for a command to write its files to.

    At the end those files of the command's earlier run that this one did not write again are removed, so that a folder
    never shows two runs; if the command fails before it has written anything, they all stay.

    Args:
        folder: where the files go; it need not exist.
        command: words after `hypersd` that tell this kind of output from others, such as `votes export --format arena`.
        names: of all files that the command may write, as in `Owners`.
        earlier: of files that a release before this one left without a record.
        keep: the command goes on with what is there, so nothing is removed.

    Raises:
        ValueError: something of one of these names is not the command's own; the message names it, nothing is changed.
        OSError: the folder cannot be written.
    """
    names = list(names)
    earlier, recorded = earlier or {}, _read(folder)
    known = [*recorded.get(command, ()), *earlier.get(command, ())]
    owners = {**earlier, **recorded, command: known}
    own = _existing(folder, known)
    foreign = sorted(_existing(folder, names) - own)
    if foreign:
        raise ValueError(_complaint(folder, foreign, owners))
    before = {file: _Version.of(file) for file in own if not keep and (file.is_symlink() or file.is_file())}
    folder.mkdir(parents=True, exist_ok=True)
    _record(folder, owners, command, [*known, *names])
    try:
        yield folder
    finally:
        stale = [file for file, version in before.items() if file.is_file() and _Version.of(file) == version]
        written = len(stale) < len(before) or bool(_existing(folder, names) - own)
        if written:
            _remove(folder, stale)
        mine = _existing(folder, [*known, *names])
        _record(folder, owners, command, sorted(glob.escape(file.relative_to(folder).as_posix()) for file in mine))


def _existing(folder: Path, names: Iterable[str]) -> set[Path]:
    """Files and folders of these names; a name that points out of the folder has none."""
    inside = (name for name in names if (parts := PurePosixPath(name).parts) and parts[0] != "/" and ".." not in parts)
    return {path for name in inside for path in folder.glob(name)}


def _read(folder: Path) -> Owners:
    """What the folder's manifest says.

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
    raise ValueError(f"{file} is damaged, so nobody knows whose files these are; choose another folder")


def _record(folder: Path, owners: Owners, command: str, names: Sequence[str]) -> None:
    """Write the manifest; one that would say nothing is removed."""
    entries = {**owners, command: list(names)}
    kept = {owner: list(files) for owner, files in entries.items() if files}
    if kept:
        write_json(folder / MANIFEST, {"made_by": kept})
    else:
        (folder / MANIFEST).unlink(missing_ok=True)


def _remove(folder: Path, files: Iterable[Path]) -> None:
    """Remove files, and folders in `folder` that are empty then."""
    for file in files:
        file.unlink(missing_ok=True)
        for parent in file.relative_to(folder).parents[:-1]:
            with suppress(OSError):  # something is in it
                (folder / parent).rmdir()


def _complaint(folder: Path, foreign: Sequence[Path], owners: Owners) -> str:
    shown = [path.relative_to(folder).as_posix() for path in foreign]
    listed = ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else "")
    makers = [maker for maker, names in owners.items() if _existing(folder, names) & set(foreign)]
    if makers:
        return f"{folder} holds what `hypersd {makers[0]}` made ({listed}); choose another folder, or delete that"
    return f"{folder} holds {listed}, which this command did not make and would replace; choose another folder"
