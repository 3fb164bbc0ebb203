"""The two scores of score distillation, on the UNet of the student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from hypersd.distill.student import Conditioning, Student
from hypersd.training.adapter_passes import chosen_adapter, disable_adapter, fused_adapter
from hypersd.training.adapters import adapter_weights, add_adapter, load_adapter
from hypersd.training.objective import TrainedNetwork

FAKE = "fake"
"""Name of the fake score's adapter and of its network."""


@dataclass(frozen=True, eq=False)
class ScoreModels:
    """The real score, and the fake score: a model that is trained on the student's outputs.

    Student, teacher and fake score share the base's weights, whichever score is real: the student is the base with its
    own adapter, the fake score with a second one, and the consistency model with the adapter of few steps. The fake
    score starts as the model of the real one, as in DMD (Yin et al. 2023).

    Args:
        student: its UNet has the fake score's adapter too.
        consistency: weights of the adapter of few steps, the consistency model; None: the real score is the base's.
    """

    student: Student
    consistency: Sequence[Tensor] | None = None

    @classmethod
    def start(cls, student: Student, few_steps: Path | None = None) -> Self:
        """Add the fake score's adapter: the one of few steps in a file, which is the real score's, or one of no effect.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not an adapter, or has another shape than the student's.
        """
        add_adapter(student.unet, student.rank, FAKE)
        nn.Module.to(student.unet, student.device)
        if few_steps is None:
            return cls(student)
        load_adapter(student.unet, few_steps, FAKE)
        return cls(student, [weight.detach().clone() for weight in adapter_weights(student.unet, FAKE)])

    def network(self, learning_rate: float, updates: int) -> TrainedNetwork:
        """The fake score's adapter as a trained network."""
        return TrainedNetwork(
            name=FAKE, module=self.student.unet, adapter=FAKE, learning_rate=learning_rate, updates=updates
        )

    def fake(self, noisy: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        """The fake score's ε̂, with a gradient."""
        with chosen_adapter(self.student.unet, FAKE):
            return self.student.predict(noisy, times, conditioning)

    @torch.no_grad()
    def both(self, noisy: Tensor, times: Tensor, captions: Sequence[str], guidance: float) -> tuple[Tensor, Tensor]:
        """The fake and the real score's ε̂; `guidance` is the base's scale, and the consistency model's is distilled."""
        student, conditioning = self.student, self.student.text.conditioning(captions)
        with fused_adapter(student.unet, name=FAKE):
            fake = student.predict(noisy, times, conditioning)
        if self.consistency is None:
            with disable_adapter(student.unet):
                scale = torch.full((len(noisy),), guidance, device=noisy.device)
                return fake, student.guided(noisy, times, captions, scale)
        with fused_adapter(student.unet, self.consistency):
            return fake, student.predict(noisy, times, conditioning)
