"""Results of a student's frozen parts for the examples, computed once for all stages, runs and processes.

Latents of pictures, text embeddings of captions, and samples of a teacher, in shards on disk. A record names their
source; a run with another source raises an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod
from pathlib import Path

from torch import Tensor

from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import caption_for, noise_for
from hypersd.distill.teacher_steps import TeacherSteps
from hypersd.training.data import CaptionedData, encoded
from hypersd.training.precision import Precision, half_precision
from hypersd.training.records import hash_file, hash_text
from hypersd.training.row_shards import SHARD_BYTES, ComputeRows, RowArray, write_shards
from hypersd.training.shared_files import Source, source_hash
from hypersd.training.text_cache import CaptionEmbeddings
from hypersd.utils.readers import read_array

SCENES = 16_000
"""Examples that are encoded of data without end."""

_BATCH_PIXELS = 64 * 128 * 128
_SMALLEST_BATCH = 4
_TEXT = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
_TEXTS_AT_A_TIME = 64

_STEPS_PER_SHARD = 1024
"""Steps of the teacher in a shard: a killed process loses less, and several processes have a share each."""

DrawSamples = Callable[[Tensor, list[str]], Tensor]
"""Function from noise `(B, C, H, W)` and B captions to samples `(B, …)`."""


@dataclass(frozen=True, kw_only=True)
class ExampleCache:
    """Cached results for one student and its examples.

    Args:
        data: folder of the cache.
        out: folder of the cache for a shortened training, so that later runs do not reuse its few examples.
        parts: a hash of each of the family's parts on disk.
        shorten: fraction of the examples to use.
        fewest: smallest number of examples.
        precision: of computing latents and samples.
    """

    student: Student
    examples: CaptionedData
    data: Path
    out: Path
    parts: Mapping[str, str]
    shorten: float
    fewest: int
    precision: Precision

    @property
    def folder(self) -> Path:
        """The folder of the cache."""
        return self.data if self.shorten == 1 else self.out

    def latents(self) -> tuple[RowArray, str]:
        """Latents of the examples, `(N, C, H, W)`, and a hash of their source."""

        def encoder(pictures: Tensor) -> Tensor:
            with half_precision(self.student.device, self.precision):
                return self.student.latents(pictures.to(self.student.device))

        shape, name = self.student.latent_shape, "latents"
        if (file := self.data / f"{name}.npy").exists():  # as `hypersd emoji train` leaves them
            return read_array(file, shape, "latents of pictures"), hash_file(file)
        source = {"examples": self.examples.fingerprint, "vae": self.parts["vae"], "precision": self.precision}
        return self._rows(name, encoded(self.examples, encoder), shape, self._count(SCENES), source)

    def embed_captions(self) -> None:
        """Give the student the embeddings of all captions, if their number is finite."""
        captions = self.examples.distinct_captions()
        if captions is None:
            return
        text, known = self.student.text, ["", *captions]

        def rows(numbers: range) -> Tensor:
            return text.embed(known[numbers.start : numbers.stop])

        source = {"captions": hash_text(*known), **{part: self.parts[part] for part in _TEXT}}
        shards = write_shards(
            self.folder / "text",
            rows,
            count=len(known),
            shape=(text.channels,),
            source=source,
            batch_size=_TEXTS_AT_A_TIME,
            label="text embeddings",
        )
        numbers = {caption: number for number, caption in enumerate(known)}
        self.student.text = replace(text, captions=CaptionEmbeddings(numbers, shards))

    def drawn(
        self, name: str, draw: DrawSamples, shape: tuple[int, ...], count: int, source: Source
    ) -> tuple[RowArray, str]:
        """Samples of the current student from `count` noises and captions, and a hash of their source.

        The index of a sample determines its noise and caption, so only the result is stored.

        Args:
            name: of the folder.
            draw: computes samples.
            shape: of one sample.
            count: number of samples before shortening.
            source: settings that affect the samples, besides the student and the examples.
        """
        if (file := self.data / f"{name}.npy").exists():  # as earlier releases left them
            return read_array(file, shape, f"{name} of a student"), hash_file(file)

        def rows(numbers: range) -> Tensor:
            noise = noise_for(numbers, self.student.latent_shape).to(self.student.device)
            with half_precision(self.student.device, self.precision):
                return draw(noise, [caption_for(self.examples, number) for number in numbers])

        student = {part: self.parts[part] for part in ("unet", "scheduler", *_TEXT)}
        whole = {"examples": self.examples.fingerprint, **student, "adapter": self._adapter_hash(), **source}
        whole["precision"] = self.precision
        return self._rows(name, rows, shape, self._shortened(count), whole)

    def teacher_steps(self, steps: TeacherSteps, count: int, latents: str) -> tuple[RowArray, str]:
        """The teacher's ε̂ of `count` steps, `(count, C, H, W)`, and a hash of their source.

        Args:
            steps: numbered steps.
            count: number of steps before shortening.
            latents: a hash of the encoded pictures.
        """

        def rows(numbers: range) -> Tensor:
            with half_precision(self.student.device, self.precision):
                return steps.predict(numbers)

        student, points = self.student, steps.grid.points
        source = {
            "examples": self.examples.fingerprint,
            "latents": latents,
            **{part: self.parts[part] for part in ("unet", "scheduler", *_TEXT)},
            "guidance": steps.guidance,
            "offset noise": steps.offset_noise,
            "precision": self.precision,
        }
        # A folder for each grid: methods with other grids may share a folder of data.
        name, shape = f"teacher-{points}", student.latent_shape
        most = min(SHARD_BYTES, _STEPS_PER_SHARD * 2 * prod(shape))
        return self._rows(name, rows, shape, max(points, self._shortened(count)), source, shard_bytes=most)

    def _rows(  # noqa: PLR0917 - what an array is made of
        self,
        name: str,
        compute: ComputeRows,
        shape: tuple[int, ...],
        count: int,
        source: Source,
        shard_bytes: int = SHARD_BYTES,
    ) -> tuple[RowArray, str]:
        rows = write_shards(
            self.folder / name,
            compute,
            count=count,
            shape=shape,
            source=source,
            batch_size=max(_SMALLEST_BATCH, _BATCH_PIXELS // self.student.pixels**2),
            label=name,
            shard_bytes=shard_bytes,
        )
        return rows, source_hash({**source, "rows": count})

    def _count(self, endless: int) -> int:
        """Number of examples to use: a share of all, or of `endless` if the data is infinite."""
        size = self.examples.size
        return self._shortened(endless) if size is None else min(size, self._shortened(size))

    def _shortened(self, count: int) -> int:
        return max(self.fewest, round(count * self.shorten))

    def _adapter_hash(self) -> str:
        """A hash of the student's current adapter."""
        digest = sha256()
        for weight in self.student.weights:
            digest.update(weight.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]
