"""Captioned pictures to train on, from any source: each looked at once, and what cannot be used counted and named."""

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

log = logging.getLogger(__name__)

HELD_OUT_SHARE = 0.02
"""Share of the captions that training does not see; their hash decides, so that others in the source do not."""

REJECTED = "rejected.csv"
_PER_FILE = 1000
"""Examples that a file of the index tells of."""

_LISTED = 3
"""Names that a sentence gives for a reason, at most."""

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
    """An example of a source that was looked at: its captions and size, or a reason that it cannot be used."""

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
        examples: a table of `Examined` examples, those that are trained on.
        held_out: captions that are not trained on.
    """

    source: PictureSource
    pixels: int
    examples: pa.Table
    held_out: tuple[str, ...]

    @classmethod
    def prepare(cls, source: PictureSource, pixels: int, folder: Path) -> CaptionedPictures:
        """Look at all examples of a source, unless the folder knows of it from an earlier run.

        Args:
            source: of the pictures.
            pixels: the side that they are to have.
            folder: for what was seen; examples that cannot be used are named in its `rejected.csv`.

        Raises:
            ValueError: no example can be used, or the folder is of another source.
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
        """The pictures of these numbers, scaled and cropped: `(B, pixels, pixels, 3)`.

        Raises:
            ValueError, OSError: one cannot be read any more; the message names it.
        """
        rows = self.examples["row"].take(pa.array(list(indices))).to_pylist()

        def load(row: int) -> NDArray[np.uint8]:
            try:
                return square(decode(self.source.picture(row)), self.pixels)
            except (ValueError, OSError) as error:
                raise ValueError(
                    f"{self.source.name(row)} has changed since it was looked at: {gist(error)}"
                ) from error

        with ThreadPoolExecutor() as threads:
            return np.stack(list(threads.map(load, rows)))

    def size_conditioning(self, indices: Sequence[int]) -> NDArray[np.int64]:
        """Height and width of the originals, top and left of the crops after scaling, in pixels: `(B, 4)`."""
        chosen = self.examples.select(["height", "width"]).take(pa.array(list(indices))).to_pylist()
        return np.array([PictureSize(**size).conditioning(self.pixels) for size in chosen], dtype=np.int64)

    def caption(self, index: int, rng: np.random.Generator) -> str:
        """A caption of a picture; where there are several, one of them by lot."""
        captions = self.examples["captions"][index].as_py()
        return captions[int(rng.integers(len(captions)))]

    def distinct_captions(self) -> Sequence[str]:
        """All captions that are trained on, each once."""
        return _distinct(self.examples)

    def held_out_prompts(self, count: int) -> list[str]:
        """Captions that training does not see; where all pictures have the same one, that."""
        return list(self.held_out[:count]) or list(self.distinct_captions()[:count])


def examine(source: PictureSource, row: int) -> Examined:
    """Look at one example: decode its picture, read its captions."""
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
    """The names of the examples that cannot be used, by reason, the commonest reason first."""
    names: dict[str, list[str]] = {}
    for record in table.filter(table["reason"].is_valid()).select(["name", "reason"]).to_pylist():
        names.setdefault(record["reason"], []).append(record["name"])
    order = Counter({reason: len(examples) for reason, examples in names.items()}).most_common()
    return {reason: names[reason] for reason, _ in order}


def describe_rejections(names: Mapping[str, list[str]], total: int) -> str:
    """A sentence about the examples that cannot be used, with their number, the commonest reasons and some names."""
    reasons = (
        f"{reason} ({len(examples)}: {', '.join(examples[:_LISTED])}{', …' if len(examples) > _LISTED else ''})"
        for reason, examples in list(names.items())[:_LISTED]
    )
    others = "; and other reasons" if len(names) > _LISTED else ""
    return f"{sum(map(len, names.values()))} of {total} examples cannot be used: {'; '.join(reasons)}{others}"


def _index(source: PictureSource, folder: Path) -> pa.Table:
    """All examples of a source, looked at by all processes together."""
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
    """All captions of the examples, each once."""
    return examples["captions"].combine_chunks().flatten().unique().to_pylist()


def _held_out(captions: Sequence[str]) -> tuple[str, ...]:
    """The captions that are held out, by ascending hash: a share of them, and at least one if there are two."""
    places = sorted((_place(caption), caption) for caption in captions)
    share = max(HELD_OUT_SHARE, np.nextafter(places[0][0], 1)) if places[0][0] < places[-1][0] else 0.0
    return tuple(caption for place, caption in places if place < share)


def _place(caption: str) -> float:
    """A number in [0, 1) by the hash of a caption, the same in other letter case or with other spaces."""
    same = " ".join(normalize("NFKC", caption).casefold().split())
    return int.from_bytes(sha256(same.encode()).digest()[:6], "big") / 2**48


def _write_rejected(file: Path, table: pa.Table) -> None:
    with atomic_path(file) as part, part.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows(_rejected_rows(table))


def _rejected_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    yield "name", "reason"
    for reason, names in rejections(table).items():
        yield from ((name, reason) for name in names)
