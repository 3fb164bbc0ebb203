"""Reference of FID as papers have it: a folder of real pictures, in the features of Inception v3."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hypersd.evaluate.frechet import LEAST, Moments, distance
from hypersd.evaluate.intervals import Floats
from hypersd.evaluate.metric_sources import INCEPTION
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.scorers.inception import InceptionFeatures
from hypersd.training.sources.decoding import decode
from hypersd.training.sources.picture_folder import PictureFolder

_AT_ONCE = 32


def check_reference(folder: Path) -> PictureFolder:
    """List the reference pictures in a folder and the folders in it; none is opened.

    Raises:
        OSError: the folder is missing.
        ValueError: it holds too few pictures.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: No such folder of reference pictures")
    pictures = PictureFolder.open(folder)
    if len(pictures) < LEAST:
        raise ValueError(f"{folder} holds {len(pictures)} pictures, and FID needs {LEAST} at least, better thousands")
    return pictures


def measurable_reference(folder: Path, chosen: Family, machine: Machine) -> PictureFolder:
    """The pictures in a folder that FID is measured from; they and its network are looked for before any work.

    Raises:
        ValueError: the family is not measured by FID, or there are too few pictures.
        OSError: the folder is missing, or the network's weights are and cannot be fetched.
    """
    if not INCEPTION.applies(chosen):
        raise ValueError(
            f"pictures of {chosen.name} are compared with scenes of its own; --reference is for families of the Hub"
        )
    pictures = check_reference(folder)
    INCEPTION.check(chosen, machine)
    return pictures


@dataclass(frozen=True, eq=False)
class PictureReference:
    """Real pictures to measure FID from (see `hypersd.evaluate.reference.FrechetReference`).

    Args:
        description: in the notes of a table.
        moments: of the pictures' features.
    """

    description: str
    moments: Moments

    @classmethod
    def of(cls, pictures: PictureFolder, network: InceptionFeatures) -> PictureReference:
        """Read every picture of a folder once, some at a time.

        Raises:
            OSError, ValueError: one cannot be read, and the message names it; or there are too few.
        """
        return cls(
            f"the {len(pictures)} pictures in {pictures.folder}, in the features of Inception v3 as papers have it: it "
            "can be compared with FIDs of the same n and the same pictures only",
            Moments.of_batches(_features(pictures, network)),
        )

    def distance(self, features: Floats) -> float:
        """FID of pictures by their features `(N, D)`.

        Raises:
            ValueError: there are too few pictures (see `frechet.LEAST`).
        """
        return distance(Moments.of(features), self.moments)

    def floor(self, n: int) -> float:
        """Not known: there are no other real pictures of the same prompts."""
        return math.nan


def _features(pictures: PictureFolder, network: InceptionFeatures) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(pictures), _AT_ONCE):
        rows = range(start, min(len(pictures), start + _AT_ONCE))
        yield network.embed([_opened(pictures, row) for row in rows])


def _opened(pictures: PictureFolder, row: int) -> Image.Image:
    try:
        return decode(pictures.picture(row))
    except ValueError as error:
        raise ValueError(f"{pictures.name(row)}: {error}; take it out of the reference pictures") from error
