"""Making an arena of one's own pictures, and adding to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hypersd.arena.library.picture_library import CATALOGUE, PictureLibrary, check_arena_name
from hypersd.arena.library.picture_list import ListedPicture


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArena:
    """Result of making or extending an arena.

    Args:
        added: number of new pictures.
        known: number of listed pictures that the arena had already.
        pairs: number of pairs that can be voted on.
        equal: number of pairs that are left out, because their pictures have equal pixels.
    """

    library: PictureLibrary
    added: int
    known: int
    pairs: int
    equal: int


def plan_arena(folder: Path, name: str | None, listed: Sequence[ListedPicture]) -> NewArena:
    """The arena that the folder would hold with these pictures; writes nothing.

    Args:
        folder: a new or empty folder, or one of an earlier `arena init`.
        name: of the arena; None is that of the existing one, or else the folder's.
        listed: the pictures, which the arena may have already.

    Raises:
        ValueError: the folder holds something else, the arena has another picture in the place of a listed one, or no
            two pictures are comparable.
        OSError: the folder cannot be read.
    """
    library = PictureLibrary.read(folder)
    if library is None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(f"{folder} holds files, but no arena of `arena init`; choose a new folder")
        library = PictureLibrary(folder, check_arena_name(name or folder.resolve().name.lower()))
    elif name not in {None, library.name}:
        raise ValueError(f"{folder} is the arena {library.name}; its votes have that name, so leave out --name")
    known = {picture.place: picture for picture in library.pictures}
    new = [each.picture for each in listed if each.picture.place not in known]
    for each in listed:
        if (old := known.get(each.picture.place)) and old.pixels != each.picture.pixels:
            raise ValueError(
                f"{each.where}: {folder} has another picture of this prompt, seed and model, which may have votes; "
                "give the new one another model's name or seed"
            )
    planned = replace(library, pictures=(*library.pictures, *new))
    pairs = sum(map(len, planned.pairs.values()))
    comparable = sum(count * (count - 1) // 2 for count in map(len, planned.scenes.values()))
    if not pairs:
        fault = "two models' pictures are equal" if comparable else "no prompt (and seed) has pictures of two models"
        raise ValueError(f"there is nothing to compare: {fault}")
    return NewArena(
        library=planned, added=len(new), known=len(listed) - len(new), pairs=pairs, equal=comparable - pairs
    )


def write_arena(
    planned: NewArena, listed: Sequence[ListedPicture], progress: Callable[[str], None] = lambda _line: None
) -> None:
    """Write what `plan_arena` planned. After an interruption the same call finishes it.

    Raises:
        OSError: the folder cannot be written, or a picture cannot be read any more.
        ValueError: a picture has changed since it was checked.
    """
    library = planned.library
    if not (library.folder / CATALOGUE).exists():  # first, so that an interrupted folder is known as ours
        replace(library, pictures=()).write()
    for number, each in enumerate(listed, start=1):
        if number % 100 == 0:
            progress(f"{number:,} of {len(listed):,} pictures")
        library.files.keep(each.picture.file, each.file.read_bytes())
    library.write()
