"""Opening of a source of captioned pictures by its name on the command line."""

from __future__ import annotations

import glob
from pathlib import Path

from hypersd.training.sources.picture_folder import METADATA, PictureFolder
from hypersd.training.sources.picture_source import FILTER, PictureSource
from hypersd.training.sources.tar_shards import ENDING, TarShards, expand_braces

HUB = "hf://"
FORMS = (
    "a folder of pictures with metadata.jsonl or a .txt beside each, WebDataset shards (a folder of .tar, a glob, "
    "NAME-{000..010}.tar), hf://datasets/OWNER/NAME[/CONFIG][/SPLIT], or a folder that `data filter` left"
)


def open_source(text: str, column: str | None = None) -> PictureSource:
    """The captioned pictures that a text names.

    Args:
        text: a folder, WebDataset shards, a dataset of the Hub, or the output of a filter: see `FORMS`.
        column: of the captions, if there are columns; None for the most likely one.

    Raises:
        ValueError: the text names none of these, or the source has no usable example.
        OSError: the source is missing, or cannot be read or downloaded.
    """
    if text.startswith(HUB):
        from hypersd.training.sources.hub_dataset import HubAddress, HubDataset  # noqa: PLC0415 - `datasets` is slow

        return HubDataset.open(HubAddress.parse(text), column)
    if "://" in text:
        raise ValueError(f"{text!r} is no source of pictures; give {FORMS}")
    folder = Path(text)
    if (folder / FILTER).is_file():
        if column is not None:
            raise ValueError(f"{folder} was filtered with its captions; --caption-column is for `data filter`")
        from hypersd.training.sources.filtered_pictures import FilteredPictures  # noqa: PLC0415 - so is pyarrow

        return FilteredPictures.open(folder, open_source)
    if folder.is_dir():
        shards = sorted(folder.glob(f"*{ENDING}"))
        if shards and not (folder / METADATA).exists():
            return TarShards.open(shards, column)
        return PictureFolder.open(folder, column)
    return TarShards.open(_shards(text), column)


def _shards(text: str) -> list[Path]:
    """The archives that match a pattern: braces are expanded first, as in a shell, then `*`, `?` and `[…]`.

    Raises:
        ValueError: the matching files are not archives.
        FileNotFoundError: no file matches.
    """
    files: list[Path] = []
    for name in expand_braces(text):
        if Path(name).exists():
            files.append(Path(name))
        else:
            files += (Path(file) for file in sorted(glob.glob(name, recursive=True)))  # noqa: PTH207 - absolute, too
        if not glob.has_magic(name) and not Path(name).exists():
            raise FileNotFoundError(f"{name}: No such file or directory")
    if not files:
        raise FileNotFoundError(f"{text}: no file fits this pattern")
    if other := [file for file in files if file.suffix != ENDING]:
        raise ValueError(f"{other[0]} is no source of pictures; give {FORMS}")
    return files
