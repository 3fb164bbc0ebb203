"""Captioned pictures from any source as training data: each is examined once, and unusable ones are reported."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from hypersd.training.processes import joined_processes
from hypersd.training.records import hash_text
from hypersd.training.shared_files import make_files
from hypersd.training.sources.decoding import PictureSize, decode, square
from hypersd.training.sources.picture_source import PictureSource
from hypersd.utils.errors import gist
from hypersd.utils.files import atomic_path
from hypersd.utils.readers import read_parquet
from hypersd.utils.spreadsheets import as_cell

log = logging.getLogger(__name__)

HELD_OUT_SHARE = 0.02
"""Share of held-out captions; a hash selects them, independent of the other captions."""

REJECTED = "rejected.csv"
_PER_FILE = 1000
"""Number of examples in a file of the index."""

_LISTED = 3
"""Largest number of examples that a message names per reason."""

_SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "name": pa.large_string(),
        "captions": pa.large_list(pa.large_string()),
        "height": pa.int32(),
        "width": pa.int32(),
        "reason": pa.string(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """An examined example of a source: its captions and size, or the reason why it cannot be used."""

    row: int
    name: str
    captions: list[str]
    height: int = 0
    width: int = 0
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class CaptionedPictures:
    """The usable examples of a source, as the data of a training (see `hypersd.training.data.CaptionedData`).

    Args:
        source: of the pictures.
        pixels: the side to which they are scaled and cropped.
        examples: a table of `Examined` examples that are trained on.
        held_out: captions that are not trained on.
    """

    source: PictureSource
    pixels: int
    examples: pa.Table
    held_out: tuple[str, ...]

    @classmethod
    def prepare(cls, source: PictureSource, pixels: int, folder: Path) -> CaptionedPictures:
        """Examine all examples of a source, or read the index of an earlier run.

        Args:
            source: of the pictures.
            pixels: side of the training pictures.
            folder: receives the index; its `rejected.csv` lists unusable examples.

        Raises:
            ValueError: no example can be used, or the folder belongs to another source.
            OSError: the folder cannot be written.
        """
        table = _index(source, folder)
        usable = table.filter(table["reason"].is_null())
        if counts := rejections(table):
            if joined_processes().is_main_process:
                _write_rejected(folder / REJECTED, table)
            log.warning("%s; %s names them", describe_rejections(counts, len(table)), folder / REJECTED)
        if not len(usable):
            raise ValueError(f"nothing can be trained on: {describe_rejections(counts, len(table))}")
        held_out = _held_out(_distinct(usable))
        kept = [not {*captions} & {*held_out} for captions in usable["captions"].to_pylist()]
        return cls(source, pixels, usable.filter(pa.array(kept)).combine_chunks(), held_out)

    @property
    def fingerprint(self) -> str:
        """A hash of the source and of the side of the pictures."""
        return hash_text(self.source.fingerprint, str(self.pixels))

    @property
    def size(self) -> int:
        """The number of pictures."""
        return len(self.examples)

    def pictures(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures with these indices, scaled and cropped: `(B, pixels, pixels, 3)`.

        Raises:
            ValueError, OSError: a picture can no longer be read; the message names it.
        """
        rows = self.examples["row"].take(pa.array(list(indices))).to_pylist()

        def load(row: int) -> NDArray[np.uint8]:
            try:
                return square(decode(self.source.picture(row)), self.pixels)
            except (ValueError, OSError) as error:
                raise ValueError(f"{self.source.name(row)} has changed since it was examined: {gist(error)}") from error

        with ThreadPoolExecutor() as threads:
            return np.stack(list(threads.map(load, rows)))

    def size_conditioning(self, indices: Sequence[int]) -> NDArray[np.int64]:
        """Height and width of the originals, top and left of the crops after scaling, in pixels: `(B, 4)`."""
        chosen = self.examples.select(["height", "width"]).take(pa.array(list(indices))).to_pylist()
        return np.array([PictureSize(**size).conditioning(self.pixels) for size in chosen], dtype=np.int64)

    def caption(self, index: int, rng: np.random.Generator) -> str:
        """A caption of a picture; a random one if there are several."""
        captions = self.examples["captions"][index].as_py()
        return captions[int(rng.integers(len(captions)))]

    def distinct_captions(self) -> Sequence[str]:
        """All captions that are trained on, without duplicates."""
        return _distinct(self.examples)

    def held_out_prompts(self, count: int) -> list[str]:
        """Captions that are not trained on; if all pictures share one caption, that one."""
        return list(self.held_out[:count]) or list(self.distinct_captions()[:count])


def examine(source: PictureSource, row: int) -> Examined:
    """Examine one example: decode its picture, read its captions."""
    name = source.name(row)
    try:
        captions = source.captions(row)
        picture = decode(source.picture(row))
    except OSError as error:
        return Examined(row=row, name=name, captions=[], reason=error.strerror or gist(error))
    except ValueError as error:
        return Examined(row=row, name=name, captions=[], reason=gist(error))
    return Examined(row=row, name=name, captions=captions, height=picture.height, width=picture.width)


def rejections(table: pa.Table) -> Mapping[str, list[str]]:
    """The names of unusable examples by reason, most frequent reason first."""
    names: dict[str, list[str]] = {}
    for record in table.filter(table["reason"].is_valid()).select(["name", "reason"]).to_pylist():
        names.setdefault(record["reason"], []).append(record["name"])
    order = Counter({reason: len(examples) for reason, examples in names.items()}).most_common()
    return {reason: names[reason] for reason, _ in order}


def describe_rejections(names: Mapping[str, list[str]], total: int) -> str:
    """A sentence with the number of unusable examples, the most frequent reasons and some names."""
    reasons = (
        f"{reason} ({len(examples)}: {', '.join(examples[:_LISTED])}{', …' if len(examples) > _LISTED else ''})"
        for reason, examples in list(names.items())[:_LISTED]
    )
    others = "; and other reasons" if len(names) > _LISTED else ""
    return f"{sum(map(len, names.values()))} of {total} examples cannot be used: {'; '.join(reasons)}{others}"


def _index(source: PictureSource, folder: Path) -> pa.Table:
    """Index of all examples of a source, created by all processes together."""
    starts = range(0, len(source), _PER_FILE)
    names = [f"{number:06d}.parquet" for number in range(len(starts))]

    def make(numbers: Sequence[int]) -> None:
        shown = bool(numbers) and joined_processes().is_main_process
        for number in tqdm(numbers, desc="look at pictures", unit="thousand", disable=not shown):
            rows = range(starts[number], min(len(source), starts[number] + _PER_FILE))
            with ThreadPoolExecutor() as threads:
                seen = [asdict(example) for example in threads.map(lambda row: examine(source, row), rows)]
            with atomic_path(folder / names[number]) as part:
                pq.write_table(pa.Table.from_pylist(seen, schema=_SCHEMA), part)

    described = {"pictures": source.fingerprint, "examples": len(source)}
    label = "an index of pictures"
    make_files(folder, names, make, source=described, label=label)
    return pa.concat_tables([read_parquet(folder / name, _SCHEMA, label) for name in names])


def _distinct(examples: pa.Table) -> list[str]:
    """All captions of the examples, without duplicates."""
    return examples["captions"].combine_chunks().flatten().unique().to_pylist()


def _held_out(captions: Sequence[str]) -> tuple[str, ...]:
    """The held-out captions, by ascending hash: a share of all captions, at least one if there are two."""
    places = sorted((_place(caption), caption) for caption in captions)
    share = max(HELD_OUT_SHARE, np.nextafter(places[0][0], 1)) if places[0][0] < places[-1][0] else 0.0
    return tuple(caption for place, caption in places if place < share)


def _place(caption: str) -> float:
    """A number in [0, 1) from the hash of a caption, independent of letter case and spaces."""
    same = " ".join(normalize("NFKC", caption).casefold().split())
    return int.from_bytes(sha256(same.encode()).digest()[:6], "big") / 2**48


def _write_rejected(file: Path, table: pa.Table) -> None:
    with atomic_path(file) as part, part.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows(_rejected_rows(table))


def _rejected_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    yield "name", "reason"
    for reason, names in rejections(table).items():
        yield from ((as_cell(name), as_cell(reason)) for name in names)
