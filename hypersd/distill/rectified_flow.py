"""Piecewise rectified flow (PeRFlow, Yan et al. 2024): the teacher's path within each window is made straight.

The schedule's times are cut into K windows. In the window from t_s down to t_e the teacher carries a noised picture z_s
to z_e; the student, at any time t in between, sees the point of the straight line from one to the other and predicts
the one ε with which DDIM jumps from z_s to z_e ("DDIM-ε", the parametrisation of the published models).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor

from hypersd.distill.losses import denoising_loss, jump_errors
from hypersd.distill.student import Student
from hypersd.sampling.denoising import denoised
from hypersd.training.adapter_passes import disable_adapter
from hypersd.training.data import CaptionedLatents
from hypersd.training.objective import Objective, StepContext
from hypersd.training.schedule import PerSampleDDIMSolver


@dataclass(frozen=True, slots=True, kw_only=True)
class PeRFlowConfig:
    """Windows as published; the teacher takes fewer steps in each (10 there), for a schedule that needs few.

    Args:
        windows: K.
        solver_steps: the teacher's guided DDIM steps in a window.
        guidance: the teacher's scale.
        share_of_starts: share of samples at their window's start, where sampling in K steps evaluates the model.
    """

    windows: int = 4
    solver_steps: int = 4
    guidance: float = 3.0
    share_of_starts: float = 0.3
    steps: int = 600
    learning_rate: float = 3e-4


@dataclass(eq=False)
class PiecewiseRectifiedFlow(Objective[CaptionedLatents]):
    """Objective: predict, anywhere in a window, the ε that leads from its start to the teacher's end of it."""

    student: Student
    config: PeRFlowConfig = field(default_factory=PeRFlowConfig)

    def __post_init__(self) -> None:
        self.networks = [self.student.network(self.config.learning_rate)]
        self.times = self.student.schedule.trailing(self.config.windows)

    @torch.no_grad()
    def carry(self, batch: CaptionedLatents, start: Tensor, end: Tensor) -> Tensor:
        """The teacher's latents at `end` `(B,)`, from noisy ones at `start`, by guided DDIM steps of equal length."""
        student, steps, device = self.student, self.config.solver_steps, batch.latents.device
        scale = torch.full((len(batch.latents),), self.config.guidance, device=device)
        times = [start + ((end - start) * index) // steps for index in range(steps + 1)]
        solver = PerSampleDDIMSolver(student.schedule.to(device), times)
        with disable_adapter(student.unet):
            return denoised(
                solver,
                batch.latents,
                lambda latents, now: student.guided(latents, now, batch.captions, scale, batch.sizes),
            )

    def loss(self, network: str, batch: CaptionedLatents, step: StepContext) -> Mapping[str, Tensor]:
        """Logs `mse`, of the latents where the window ends."""
        schedule, count, device = self.student.schedule.to(step.device), len(batch.latents), step.device
        window = step.integers(0, self.config.windows, count)
        bounds = torch.tensor(self.times, device=device)
        start, end = bounds[window], bounds[window + 1]
        noise = step.normal(batch.latents.shape)
        # The schedule's last step still contains a trace of the picture, but sampling starts from pure noise.
        noisy = schedule.add_noise(batch.latents, noise, start)
        first = torch.where((window == 0).view(-1, 1, 1, 1), noise, noisy)
        last = self.carry(replace(batch, latents=first), start, end)
        target = schedule.jump_noise(first, last, start, end)
        at_start = step.uniform(0, 1, count) < self.config.share_of_starts
        along = step.uniform(0, 1, count).masked_fill(at_start, 0)
        times = start - ((start - end - 1) * along).long()
        part = ((start - times) / (start - end)).view(-1, 1, 1, 1)
        between = first.lerp(last, part)
        conditioning = self.student.text.conditioning(batch.captions, batch.sizes)
        predicted = self.student.predict(between, times, conditioning)
        arrived = schedule.ddim_step(first, predicted, start, end)
        return {"loss": denoising_loss(predicted, target), "mse": jump_errors(arrived, last).mean()}

    def sample(self) -> Image.Image | None:
        """Draw a grid of the student's pictures, a step for each window."""
        return self.student.draw((self.config.windows,))
