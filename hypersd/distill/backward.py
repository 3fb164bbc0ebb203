"""Backward distillation: the student's own steps, matched to the teacher's finer steps from the same latents.

Consistency distillation trains the student on noised pictures, but in sampling its inputs are its own outputs. Here it
is trained on these (after Imagine Flash, Kohler et al. 2024, section 3.1): a step starts from a latent of the student's
own trajectory, and the target is computed by the guided base model, which solves the ODE to the end of the step. The
targets are computed once, with the initial student.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hypersd.distill.losses import jump_errors, jump_loss
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import caption_for
from hypersd.sampling.denoising import denoised, denoising_steps
from hypersd.training.adapter_passes import disable_adapter, fused_adapter
from hypersd.training.data import CaptionedData
from hypersd.training.objective import Objective, StepContext
from hypersd.training.row_shards import RowArray
from hypersd.training.schedule import DDIMSolver


@dataclass(frozen=True, slots=True, kw_only=True)
class BackwardConfig:
    """This project's choices.

    Args:
        shares: share of a batch for each jump, the first jump first; their number is the number of jumps. Later jumps
            can correct errors of earlier ones; nothing corrects the last.
        solver_steps: DDIM steps of the teacher along one jump.
        guidance: the teacher's scale.
    """

    shares: tuple[float, ...] = (0.1, 0.1, 0.2, 0.6)
    solver_steps: int = 3
    guidance: float = 3.0
    steps: int = 1000
    learning_rate: float = 5e-4


@dataclass(frozen=True, slots=True)
class OwnJumps:
    """A batch of jumps: from latents `(B, C, H, W)` at times `(B,)` to the teacher's at later times."""

    start: Tensor
    start_times: Tensor
    target: Tensor
    end_times: Tensor
    captions: list[str]


@torch.no_grad()
def own_jumps(student: Student, noise: Tensor, captions: list[str], config: BackwardConfig) -> Tensor:
    """Starts of the student's jumps from noise `(B, C, H, W)`, and the teacher's ends from there.

    Returns:
        `(B, jumps, 2, C, H, W)`.
    """
    schedule, conditioning = student.schedule.to(noise.device), student.text.conditioning(captions)
    scale = torch.full((len(noise),), config.guidance, device=noise.device)
    times = schedule.trailing(len(config.shares))

    def own(latents: Tensor, timestep: Tensor) -> Tensor:
        with fused_adapter(student.unet):
            return student.predictor(conditioning)(latents, timestep)

    def teacher(latents: Tensor, timestep: Tensor) -> Tensor:
        with disable_adapter(student.unet):
            return student.guided(latents, timestep.expand(len(latents)), captions, scale)

    jumps: list[Tensor] = []
    way = denoising_steps(DDIMSolver(schedule, times), noise, own)
    for step, (now, then) in zip(way, pairwise(times), strict=True):
        finer = np.linspace(now, then, config.solver_steps + 1).round().astype(int).tolist()
        target = denoised(DDIMSolver(schedule, finer), step.noisy, teacher)
        jumps.append(torch.stack([step.noisy, target], dim=1))
    return torch.stack(jumps, dim=1)


@dataclass(frozen=True)
class JumpBatches:
    """Batches of what `own_jumps` gave: `JumpBatches(data, student, drawn, batch_size, settings)(step)`."""

    data: CaptionedData
    student: Student
    drawn: RowArray
    batch_size: int
    config: BackwardConfig

    def __call__(self, step: StepContext) -> OwnJumps:
        """Random jumps of random trajectories."""
        rows = step.mine(step.rng.integers(len(self.drawn), size=self.batch_size))
        jumps = step.mine(step.rng.choice(len(self.config.shares), size=self.batch_size, p=self.config.shares))
        start, target = torch.from_numpy(self.drawn[rows, jumps]).float().to(step.device).unbind(dim=1)
        times = torch.tensor(self.student.schedule.trailing(len(self.config.shares)))
        chosen = torch.from_numpy(jumps)
        return OwnJumps(
            start,
            times[chosen].to(step.device),
            target,
            times[chosen + 1].to(step.device),
            [caption_for(self.data, int(index)) for index in rows],
        )


@dataclass(eq=False)
class BackwardDistillation(Objective[OwnJumps]):
    """Objective: reach the teacher's end of each jump.

    The squared error of a sample is divided by how far an error of the predicted noise moves the jump's end
    (`NoiseSchedule.leverage`), or the first jumps would be most of the loss.
    """

    student: Student
    config: BackwardConfig = field(default_factory=BackwardConfig)

    def __post_init__(self) -> None:
        self.networks = [self.student.network(self.config.learning_rate)]

    def loss(self, network: str, batch: OwnJumps, step: StepContext) -> Mapping[str, Tensor]:
        """Logs `mse`, of the latents where the jumps end."""
        schedule = self.student.schedule.to(step.device)
        conditioning = self.student.text.conditioning(batch.captions)
        noise = self.student.predict(batch.start, batch.start_times, conditioning)
        arrived = schedule.ddim_step(batch.start, noise, batch.start_times, batch.end_times)
        loss = jump_loss(arrived, batch.target, schedule.leverage(batch.start_times, batch.end_times))
        return {"loss": loss, "mse": jump_errors(arrived, batch.target).mean()}

    def sample(self) -> Image.Image | None:
        """Draw a grid of the student's pictures in 8, 4 and 2 steps."""
        return self.student.draw((8, 4, 2))
