"""Measurements of captioned pictures for filters: size, sharpness, aesthetic score, captions.

They do not depend on the limits, so changed limits need no second pass over the pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from scipy.ndimage import laplace
from tqdm import tqdm

from hypersd.training.filters.caption_cleaning import clean_captions
from hypersd.training.processes import joined_processes
from hypersd.training.shared_files import make_files
from hypersd.training.sources.decoding import PictureSize, decode
from hypersd.training.sources.picture_source import PictureSource
from hypersd.utils.errors import gist
from hypersd.utils.files import atomic_path

AestheticModel = Callable[[Sequence[Image.Image]], Sequence[float]]
"""Function from pictures of any size to their scores."""

FOLDER = "measurements"
SHARPNESS_SIDE = 1024
"""Pixels to which the smaller side of larger pictures is scaled: sharpness depends on the scale."""

_PER_FILE = 256
_AT_ONCE = 16
"""Number of pictures decoded at a time: one of 12 megapixels takes 36 MB."""

_SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "name": pa.large_string(),
        "captions": pa.large_list(pa.large_string()),
        "side": pa.int32(),
        "sharpness": pa.float64(),
        "aesthetic": pa.float64(),
        "problem": pa.string(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureMeasurement:
    """Measurements of an example of a source.

    Args:
        row: its index in the source.
        name: readable name of the example.
        captions: cleaned.
        side: the smaller side in pixels; 0 if the picture cannot be decoded.
        sharpness: variance of the Laplacian; NaN if the picture cannot be decoded.
        aesthetic: LAION's score, from 1 to 10; NaN if not measured.
        problem: reason why the picture or its captions cannot be read; None if they can.
    """

    row: int
    name: str
    captions: Sequence[str] = ()
    side: int = 0
    sharpness: float = math.nan
    aesthetic: float = math.nan
    problem: str | None = None


def laplacian_variance(picture: Image.Image) -> float:
    """Sharpness of a picture: the variance of the Laplacian of its grey values from 0 to 255 (Pech-Pacheco 2000).

    The Laplacian is the sum of the second differences along both axes, as in OpenCV; a larger picture is first scaled
    to `SHARPNESS_SIDE`.
    """
    grey = picture.convert("L")
    if min(grey.size) > SHARPNESS_SIDE:
        size = PictureSize(height=grey.height, width=grey.width).scaled(SHARPNESS_SIDE)
        grey = grey.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return float(laplace(np.asarray(grey, dtype=np.float32), mode="mirror").var())


def measure_source(source: PictureSource, folder: Path, aesthetic: AestheticModel | None) -> list[Path]:
    """Measure all pictures of a source; return the files of `PictureMeasurement` in order.

    All processes of a run share the work. Existing files are kept, so an interrupted run continues.

    Args:
        source: of the pictures.
        folder: of the files.
        aesthetic: scores pictures; None skips this.

    Raises:
        ValueError: the folder has measurements of another source.
        OSError: the folder cannot be written.
    """
    starts = range(0, len(source), _PER_FILE)
    names = [f"{number:06d}.parquet" for number in range(len(starts))]

    def make(numbers: Sequence[int]) -> None:
        shown = bool(numbers) and joined_processes().is_main_process
        for number in tqdm(numbers, desc="measure pictures", unit=f"{_PER_FILE} pictures", disable=not shown):
            rows = range(starts[number], min(len(source), starts[number] + _PER_FILE))
            records = [asdict(measured) for measured in _measured(source, rows, aesthetic)]
            with atomic_path(folder / names[number]) as part:
                pq.write_table(pa.Table.from_pylist(records, schema=_SCHEMA), part)

    described = {"pictures": source.fingerprint, "examples": len(source), "aesthetic": aesthetic is not None}
    make_files(folder, names, make, source=described, label="measurements of pictures")
    return [folder / name for name in names]


def read_measurements(file: Path) -> list[PictureMeasurement]:
    """The measurements in a file of `measure_source`.

    Raises:
        OSError: it cannot be read.
    """
    return [PictureMeasurement(**record) for record in pq.read_table(file).to_pylist()]


def _measured(
    source: PictureSource, rows: Sequence[int], aesthetic: AestheticModel | None
) -> Iterator[PictureMeasurement]:
    with ThreadPoolExecutor() as threads:
        for start in range(0, len(rows), _AT_ONCE):
            looked_at = list(threads.map(lambda row: _look(source, row), rows[start : start + _AT_ONCE]))
            pictures = [picture for _, picture in looked_at if picture is not None]
            scores = iter(aesthetic(pictures) if aesthetic and pictures else [math.nan] * len(pictures))
            for record, picture in looked_at:
                score = math.nan if picture is None else float(next(scores))
                yield replace(record, aesthetic=score)


def _look(source: PictureSource, row: int) -> tuple[PictureMeasurement, Image.Image | None]:
    """Measurements of an example without the aesthetic score, and its picture; None if it cannot be read."""
    name = source.name(row)
    try:
        captions = clean_captions(source.captions(row))
        picture = decode(source.picture(row))
    except OSError as error:
        return PictureMeasurement(row=row, name=name, problem=error.strerror or gist(error)), None
    except ValueError as error:
        return PictureMeasurement(row=row, name=name, problem=gist(error)), None
    sharpness = laplacian_variance(picture)
    return PictureMeasurement(
        row=row, name=name, captions=captions, side=min(picture.size), sharpness=sharpness
    ), picture
