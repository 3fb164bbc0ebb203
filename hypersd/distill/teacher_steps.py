"""Single steps of the teacher, drawn once and read many times, for consistency distillation.

An example's number determines its picture, caption, noise, start on the solver's grid, and guidance scale, so that only
the teacher's prediction ε̂ is stored; its arrival x̂_tn−1 follows by one DDIM step. Half precision rounds ε̂, and that
error is multiplied by the short distance of one step: the stored arrival itself would have twenty times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hypersd.distill.student import Student
from hypersd.training.adapter_passes import disable_adapter
from hypersd.training.data import CaptionedData, CaptionedLatents, training_caption
from hypersd.training.objective import StepContext
from hypersd.training.row_shards import RowArray
from hypersd.training.schedule import SegmentedTimesteps


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherPredictions(CaptionedLatents):
    """Captioned latents with one step of the teacher from each.

    Args:
        starts: indices n of the starts on the solver's grid, `(B,)`.
        noisy: x_tn, `(B, C, H, W)`.
        predicted: the teacher's ε̂ there, `(B, C, H, W)`.
    """

    starts: Tensor
    noisy: Tensor
    predicted: Tensor

    def _part(self, part: slice) -> TeacherPredictions:
        sizes = None if self.sizes is None else self.sizes[part]
        rows = {name: getattr(self, name)[part] for name in ("starts", "noisy", "predicted")}
        return TeacherPredictions(latents=self.latents[part], captions=self.captions[part], sizes=sizes, **rows)


@dataclass(frozen=True, eq=False, slots=True)
class TeacherStarts:
    """Starts of the teacher's steps.

    Args:
        examples: the captioned latents.
        starts: see `TeacherPredictions`.
        noisy: see `TeacherPredictions`.
        scale: of the teacher's guidance, `(B,)`; None is no guidance.
    """

    examples: CaptionedLatents
    starts: Tensor
    noisy: Tensor
    scale: Tensor | None

    @torch.no_grad()
    def predict(self, student: Student, times: Tensor) -> Tensor:
        """Ask the base model for ε̂ at `times` `(B,)`, those of the starts."""
        captions, sizes = self.examples.captions, self.examples.sizes
        with disable_adapter(student.unet):
            if self.scale is None:
                return student.predict(self.noisy, times, student.text.conditioning(captions, sizes))
            return student.guided(self.noisy, times, captions, self.scale, sizes)

    def with_prediction(self, predicted: Tensor) -> TeacherPredictions:
        """The same with the teacher's ε̂."""
        return TeacherPredictions(
            latents=self.examples.latents,
            captions=self.examples.captions,
            sizes=self.examples.sizes,
            starts=self.starts,
            noisy=self.noisy,
            predicted=predicted,
        )


@dataclass(frozen=True, kw_only=True)
class TeacherSteps:
    """Numbered steps of the teacher, which start at each time of the solver's grid equally often.

    Args:
        data: the captioned pictures.
        latents: of the first N examples, `(N, C, H, W)`.
        guidance: range of the teacher's scale; None is no guidance.
        offset_noise: see `hypersd.training.schedule.offset_noise`.
    """

    student: Student
    data: CaptionedData
    latents: RowArray
    grid: SegmentedTimesteps
    guidance: tuple[float, float] | None
    offset_noise: float

    def drawn(self, numbers: Sequence[int]) -> TeacherStarts:
        """The examples with these numbers, on the student's device."""
        rngs = [np.random.default_rng((4, number)) for number in numbers]
        chosen = np.array([rng.integers(len(self.latents)) for rng in rngs])
        captions = [training_caption(self.data, int(each), rng) for each, rng in zip(chosen, rngs, strict=True)]
        noise = np.stack([self._noise(rng) for rng in rngs])
        scales = None if self.guidance is None else [rng.uniform(*self.guidance) for rng in rngs]
        sizes, device = self.data.size_conditioning(chosen.tolist()), self.student.device
        clean = torch.from_numpy(self.latents[chosen]).float().to(device)
        starts = (torch.tensor(numbers) % self.grid.points + 1).to(device)
        schedule = self.student.schedule.to(device)
        return TeacherStarts(
            CaptionedLatents(clean, captions, None if sizes is None else torch.from_numpy(sizes).to(device)),
            starts,
            schedule.noised(clean, torch.from_numpy(noise).to(device), self.grid.time(starts)),
            None if scales is None else torch.tensor(scales, dtype=torch.float32, device=device),
        )

    def predict(self, numbers: Sequence[int]) -> Tensor:
        """The teacher's ε̂ of the examples with these numbers."""
        drawn = self.drawn(numbers)
        return drawn.predict(self.student, self.grid.time(drawn.starts))

    def _noise(self, rng: np.random.Generator) -> np.ndarray:
        channels = self.latents.shape[1]
        noise = rng.standard_normal(self.latents.shape[1:], dtype=np.float32)
        return noise + self.offset_noise * rng.standard_normal((channels, 1, 1), dtype=np.float32)


@dataclass(frozen=True)
class TeacherStepBatches:
    """Batches of a stage from a teacher cache: `TeacherStepBatches(steps, predicted, batch_size, grid, share)(step)`.

    Start times are drawn as without a cache, and then one of the steps from there.

    Args:
        predicted: ε̂ of each of the steps.
        grid: of the stage; it has the points of the cache's grid, and its own segments.
        share_of_ends: see `SegmentedTimesteps.starts`.
    """

    steps: TeacherSteps
    predicted: RowArray
    batch_size: int
    grid: SegmentedTimesteps
    share_of_ends: float

    def __call__(self, step: StepContext) -> TeacherPredictions:
        """A random batch."""
        starts = self.grid.starts(self.batch_size, step.generator, self.share_of_ends).cpu().numpy()
        others = (len(self.predicted) - starts) // self.grid.points + 1
        numbers = step.mine(starts - 1 + self.grid.points * step.rng.integers(others))
        predicted = torch.from_numpy(self.predicted[numbers]).float().to(step.device)
        return self.steps.drawn(numbers.tolist()).with_prediction(predicted)
