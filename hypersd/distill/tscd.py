"""Trajectory-segmented consistency distillation (Hyper-SD, section 3.1, algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from hypersd.distill.discriminators import LatentDiscriminator, noised_for_discriminator
from hypersd.distill.losses import balance_gradients, discriminator_loss, generator_loss, jump_errors, jump_loss
from hypersd.distill.student import Conditioning, Student
from hypersd.distill.teacher_steps import TeacherPredictions, TeacherStarts
from hypersd.training.adapter_passes import fused_adapter, swapped_adapter
from hypersd.training.adapters import ema_update
from hypersd.training.data import CaptionedLatents
from hypersd.training.objective import Objective, StepContext, TrainedNetwork
from hypersd.training.schedule import SegmentedTimesteps, offset_noise

TargetTimes = Literal["segment", "clean"]
"""End times of jumps: anywhere in the segment (CTM, TCD, TSCD), or only the schedule's clean end (LCM)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TSCDStage:
    """One stage: k segments, and the adversarial loss's share of the gradient of the distance d.

    The paper says only that the squared error fits k = 8, 4, where prediction and target are close, and the adversarial
    part k = 2, 1, where they are not; the numbers are this project's. With one segment, from the base on, it is TCD
    (Zheng et al. 2024); with jumps to the clean end alone, it is latent consistency distillation (Luo et al. 2023).

    Args:
        adversarial: its share of the gradient, see `balance_gradients`; the rest is the squared error's.
        conditional: the discriminator reads the start of a jump; an unconditional one removes conjoined shapes.
        noised: real and generated latents are noised to one of Lightning's times for the discriminator: otherwise the
            distributions hardly overlap.
        one_step: share of the batch for drawing in one step (see `TSCDConfig.one_step_time`).
        ends: end times of jumps.
    """

    segments: int
    steps: int
    adversarial: float = 0.0
    conditional: bool = True
    noised: bool = False
    one_step: float = 0.0
    ends: TargetTimes = "segment"

    @property
    def name(self) -> str:
        """Name of the stage and of its adapter."""
        return f"segments-{self.segments}" + ("" if self.conditional else "-unconditional")


STAGES = (
    TSCDStage(segments=8, steps=300),
    TSCDStage(segments=4, steps=400),
    TSCDStage(segments=2, steps=600, adversarial=0.15),
    TSCDStage(segments=1, steps=600, adversarial=0.3, noised=True, one_step=0.25),
    TSCDStage(segments=1, steps=200, adversarial=0.3, noised=True, one_step=0.25, conditional=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TSCDConfig:
    """Choices of this project where the paper leaves them open.

    Args:
        solver_steps: N, the points of the solver's grid; k must divide it.
        guidance: ω is drawn from this range for each sample. None is a teacher without guidance, whose student still
            supports guidance (the "CFG-preserved" adapters; PCM's recipe, Wang et al. 2024).
        ema_decay: μ, of the target Θ⁻.
        offset_noise: strength of the paper's "noise perturbation" (Guttenberg 2023).
        share_of_ends: share of start times that are ends of segments, where sampling starts.
        one_step_time: timestep passed to the student with pure noise for drawing in one step: the schedule's last for
            the paper's unified adapter. It multiplies an error of the predicted noise by 14.6 in the picture; 800, the
            time of the paper's one-step UNet, by 5.1.
        one_step_teacher: steps of the average student that the one step must match.
        huber: c of the pseudo-Huber distance (LCM-LoRA's recipe); None is the squared error.
    """

    solver_steps: int = 40
    guidance: tuple[float, float] | None = (2.5, 4.0)
    ema_decay: float = 0.98
    offset_noise: float = 0.05
    share_of_ends: float = 0.3
    one_step_time: int = 999
    one_step_teacher: int = 4
    huber: float | None = None
    learning_rate: float = 3e-4
    discriminator_learning_rate: float = 1e-4


@dataclass(frozen=True, slots=True)
class Jump:
    """A batch of examples: the student's start, its end, and the target there."""

    start: Tensor
    start_times: Tensor
    end_times: Tensor
    target: Tensor


@dataclass(eq=False)
class TrajectorySegmentedConsistency(Objective[CaptionedLatents]):
    """Objective of one stage: match the average student's jump that starts one teacher step later.

    d(Ψ(x_tn, f_stu, t_end), Ψ(x̂_tn−1, f_stu⁻, t_end)), eq. 12. The squared error of a sample is divided by how far an
    error of the predicted noise moves the jump's end (`NoiseSchedule.leverage`): otherwise jumps from the schedule's
    end would dominate the loss. The discriminator is SDXL-Lightning's: it reads latents at t_end, and the target is
    its real example.
    """

    student: Student
    stage: TSCDStage
    config: TSCDConfig = field(default_factory=TSCDConfig)

    def __post_init__(self) -> None:
        self.grid = SegmentedTimesteps(
            self.student.schedule.num_train_timesteps, self.config.solver_steps, self.stage.segments
        )
        self.average = [weight.detach().clone() for weight in self.student.weights]
        self.networks = [self.student.network(self.config.learning_rate)]
        if self.stage.adversarial:
            self.discriminator = LatentDiscriminator(self.student.plain_unet(), conditional=self.stage.conditional)
            self.networks.append(
                TrainedNetwork(
                    name="discriminator",
                    module=self.discriminator,
                    learning_rate=self.config.discriminator_learning_rate,
                    betas=(0.0, 0.99),
                )
            )

    def prepare(self, batch: CaptionedLatents, step: StepContext) -> Jump:
        """The batch's examples: consistency along trajectories, then pictures in one step."""
        alone = round(self.stage.one_step * len(batch.latents))
        along, one_step = batch.split(len(batch.latents) - alone)
        jump = self.along_trajectories(along, step)
        if not alone:
            return jump
        other = self.in_one_step(one_step, step)
        return Jump(*(torch.cat([getattr(jump, field.name), getattr(other, field.name)]) for field in fields(Jump)))

    @torch.no_grad()
    def along_trajectories(self, batch: CaptionedLatents, step: StepContext) -> Jump:
        """Algorithm 1, lines 4 to 12: the teacher's step from a random time, and the average student's jump from there.

        With a teacher cache the batch contains the step.
        """
        student = self.student
        schedule = student.schedule.to(step.device)
        examples = batch if isinstance(batch, TeacherPredictions) else self.teach(batch, step)
        start_times, next_times = self.grid.time(examples.starts), self.grid.time(examples.starts - 1)
        end_times = self.grid.ends(examples.starts, step.uniform(0, 1, len(examples.starts)))
        if self.stage.ends == "clean":
            end_times = torch.zeros_like(end_times)
        nearer = schedule.ddim_step(examples.noisy, examples.predicted, start_times, next_times)
        with fused_adapter(student.unet, self.average):
            predicted = student.predict(nearer, next_times, student.text.conditioning(batch.captions, batch.sizes))
        target = schedule.ddim_step(nearer, predicted, next_times, end_times)
        return Jump(examples.noisy, start_times, end_times, target)

    def teach(self, batch: CaptionedLatents, step: StepContext) -> TeacherPredictions:
        """Ask the teacher for its step."""
        drawn = self.draw(batch, step)
        return drawn.with_prediction(drawn.predict(self.student, self.grid.time(drawn.starts)))

    def draw(self, batch: CaptionedLatents, step: StepContext) -> TeacherStarts:
        """Algorithm 1, lines 4 to 6: random times, noise and guidance."""
        config, count = self.config, len(batch.latents)
        every = self.grid.starts(count * step.shards, step.generator, config.share_of_ends)
        starts, noise = step.mine(every).to(step.device), offset_noise(batch.latents.shape, step, config.offset_noise)
        noisy = self.student.schedule.to(step.device).noised(batch.latents, noise, self.grid.time(starts))
        scale = None if config.guidance is None else step.uniform(*config.guidance, count)
        return TeacherStarts(batch, starts, noisy, scale)

    @torch.no_grad()
    def in_one_step(self, batch: CaptionedLatents, step: StepContext) -> Jump:
        """Examples for one step: from pure noise at `one_step_time` to the average student's picture in several steps.

        The published one-step UNet is run like this (t = 800); the paper names a squared error for its training, but
        not its target.
        """
        student, config = self.student, self.config
        noise = step.normal(batch.latents.shape)
        conditioning = student.text.conditioning(batch.captions, batch.sizes)
        with fused_adapter(student.unet, self.average):
            drawn = student.trajectory(noise, config.one_step_teacher, conditioning)
        times = torch.full((len(noise),), config.one_step_time, device=step.device)
        return Jump(noise, times, torch.zeros_like(times), drawn)

    def loss(self, network: str, batch: CaptionedLatents, step: StepContext) -> Mapping[str, Tensor]:
        """The student logs `mse` and `adversarial`; the discriminator judges the jumps that the student just made."""
        conditioning = self.student.text.conditioning(batch.captions, batch.sizes)
        if network == "discriminator":
            jump, arrived = self.last_jump
            return {"loss": discriminator_loss(*self._judge([jump.target, arrived], jump, conditioning, step))}
        jump = self.prepare(batch, step)
        noise = self.student.predict(jump.start, jump.start_times, conditioning)
        schedule = self.student.schedule.to(step.device)
        arrived = schedule.ddim_step(jump.start, noise, jump.start_times, jump.end_times)
        self.last_jump = jump, arrived.detach()
        mse = jump_errors(arrived, jump.target).mean()
        leverage = schedule.leverage(jump.start_times, jump.end_times).clamp(min=1)
        fidelity = jump_loss(arrived, jump.target, leverage, huber=self.config.huber)
        if not self.stage.adversarial:
            return {"loss": fidelity, "mse": mse}
        adversarial = generator_loss(*self._judge([arrived], jump, conditioning, step))
        loss = balance_gradients(arrived, fidelity, adversarial, self.stage.adversarial)
        return {"loss": loss, "mse": mse, "adversarial": adversarial}

    def _judge(
        self, ends: Sequence[Tensor], jump: Jump, conditioning: Conditioning, step: StepContext
    ) -> Sequence[Tensor]:
        """The discriminator's logits `(B,)` for places where the jumps end: the student's end, or the target."""
        judged = [(end, jump.end_times) for end in ends]
        if self.stage.noised:
            schedule = self.student.schedule.to(step.device)
            judged = [noised_for_discriminator(*each, schedule, step) for each in judged]
        end, end_times = (torch.cat(parts) for parts in zip(*judged, strict=True))
        return self.discriminator(end, end_times, conditioning, jump.start, jump.start_times).chunk(len(ends))

    def after_step(self, step: StepContext) -> None:
        """Update the target."""
        ema_update(self.average, self.student.weights, self.config.ema_decay)

    def state(self) -> Mapping[str, Tensor]:
        """The target's weights."""
        return {f"average.{index}": value for index, value in enumerate(self.average)}

    def sample(self) -> Image.Image | None:
        """Draw a grid of the average student's pictures in 8, 4, 2 and 1 steps."""
        with swapped_adapter(self.student.unet, self.average):
            return self.student.draw((8, 4, 2, 1))
