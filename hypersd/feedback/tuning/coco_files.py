"""The files of COCO 2017, as it is published, looked over before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypersd.utils.readers import read_json

SPLIT = "train2017"


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoImage:
    """A photograph: its number and the name of its file."""

    id: int
    file_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoObject:
    """An object: its photograph, its category, and its outline: polygons x, y, x, y, …; the mask of a crowd."""

    image_id: int
    category_id: int
    iscrowd: int
    segmentation: list[list[float]] | dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoCaption:
    """A sentence about a photograph."""

    image_id: int
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoInstances:
    """`annotations/instances_train2017.json`."""

    images: list[CocoImage]
    annotations: list[CocoObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoCaptions:
    """`annotations/captions_train2017.json`."""

    annotations: list[CocoCaption]


def read_annotations(folder: Path) -> tuple[CocoInstances, CocoCaptions]:
    """The annotations of COCO 2017's training part.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or something else; the message names it.
    """
    instances, captions = (folder / "annotations" / f"{kind}_{SPLIT}.json" for kind in ("instances", "captions"))
    return (
        read_json(instances, CocoInstances, "COCO's objects"),
        read_json(captions, CocoCaptions, "COCO's captions"),
    )


def check_photographs(folder: Path) -> None:
    """See that COCO's folder has its annotations and its photographs.

    Raises:
        OSError: a file is missing.
        ValueError: an annotation file is empty.
    """
    for kind in ("instances", "captions"):
        file = folder / "annotations" / f"{kind}_{SPLIT}.json"
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing; --photographs is the folder of COCO 2017 as it is published")
    if not (folder / SPLIT).is_dir():
        raise FileNotFoundError(f"{folder / SPLIT} is missing; the photographs of COCO 2017 belong there")
