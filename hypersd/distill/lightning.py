"""Progressive adversarial diffusion distillation (SDXL-Lightning, Lin et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor

from hypersd.distill.discriminators import LatentDiscriminator, noised_for_discriminator
from hypersd.distill.losses import balance_gradients, discriminator_loss, generator_loss, jump_errors, jump_loss
from hypersd.distill.student import Conditioning, Student
from hypersd.sampling.denoising import denoised
from hypersd.training.adapter_passes import disable_adapter, fused_adapter
from hypersd.training.data import CaptionedLatents
from hypersd.training.objective import Objective, StepContext, TrainedNetwork
from hypersd.training.schedule import PerSampleDDIMSolver


@dataclass(frozen=True, slots=True, kw_only=True)
class LightningStage:
    """Train the student to match in `student_steps` the teacher's result in `teacher_steps`.

    The first stage's teacher is the base model with guidance and the loss is the squared error; each later teacher is
    the previous stage, and the loss is adversarial: first with a conditional discriminator, then an unconditional one.

    Args:
        adversarial: its share of the gradient, see `blend`; the rest is the squared error's, which steadies short
            trainings. 0 is the first stage.
        conditional: whether the discriminator reads the start of the jump.
        noised_for_discriminator: real and generated latents are noised first, to a random one of the paper's times.
    """

    name: str
    teacher_steps: int
    student_steps: int
    steps: int
    adversarial: float = 0.0
    conditional: bool = True
    noised_for_discriminator: bool = False


STAGES = (
    LightningStage(name="4-step", teacher_steps=8, student_steps=4, steps=120),
    LightningStage(name="2-step", teacher_steps=4, student_steps=2, steps=150, adversarial=0.02),
    LightningStage(
        name="1-step",
        teacher_steps=2,
        student_steps=1,
        steps=150,
        adversarial=0.02,
        noised_for_discriminator=True,
    ),
    LightningStage(
        name="1-step-unconditional",
        teacher_steps=2,
        student_steps=1,
        steps=30,
        adversarial=0.02,
        conditional=False,
        noised_for_discriminator=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LightningConfig:
    """Rates are higher than the paper's (1e-5 and 1e-6 at batch 512): small model and batch, a short training."""

    guidance_scale: float = 3.0
    learning_rate: float = 4e-4
    adversarial_learning_rate: float = 2e-4
    discriminator_learning_rate: float = 1e-4


@dataclass(eq=False)
class ProgressiveAdversarial(Objective[CaptionedLatents]):
    """Objective of one stage.

    Args:
        teacher: the adapter weights of the previous stage; None for the base model with guidance.
    """

    student: Student
    stage: LightningStage
    teacher: Sequence[Tensor] | None
    config: LightningConfig = field(default_factory=LightningConfig)

    def __post_init__(self) -> None:
        rate = self.config.adversarial_learning_rate if self.stage.adversarial else self.config.learning_rate
        # The paper's adversarial stages have no momentum; at this batch size the student needs it.
        self.networks = [self.student.network(rate)]
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

    @torch.no_grad()
    def teach(self, batch: CaptionedLatents, times: Tensor) -> Tensor:
        """Result of one student step by the teacher, from noisy latents at `times`, in several of its own steps."""
        schedule = self.student.schedule.to(batch.latents.device)
        stride = schedule.num_train_timesteps // self.stage.teacher_steps
        steps = self.stage.teacher_steps // self.stage.student_steps
        solver = PerSampleDDIMSolver(schedule, [(times - stride * index).clamp(min=0) for index in range(steps + 1)])
        return denoised(solver, batch.latents, lambda latents, now: self._teacher_noise(latents, now, batch))

    def _teacher_noise(self, latents: Tensor, times: Tensor, batch: CaptionedLatents) -> Tensor:
        student = self.student
        if self.teacher is None:
            scale = torch.full((len(latents),), self.config.guidance_scale, device=latents.device)
            with disable_adapter(student.unet):
                return student.guided(latents, times, batch.captions, scale, batch.sizes)
        with fused_adapter(student.unet, self.teacher):
            return student.predict(latents, times, student.text.conditioning(batch.captions, batch.sizes))

    def loss(self, network: str, batch: CaptionedLatents, step: StepContext) -> Mapping[str, Tensor]:
        """The student logs `mse` and `adversarial`; the discriminator judges the jumps that the student just made."""
        conditioning = self.student.text.conditioning(batch.captions, batch.sizes)
        if network == "discriminator":
            target, arrived, end, start, start_times = self.last_jump
            judged = self._judge([target, arrived], end, conditioning, start, start_times, step)
            return {"loss": discriminator_loss(*judged)}
        schedule = self.student.schedule.to(step.device)
        stride = schedule.num_train_timesteps // self.stage.student_steps
        index = step.integers(1, self.stage.student_steps + 1, len(batch.latents))
        times, end = index * stride - 1, ((index - 1) * stride - 1).clamp(min=0)
        noise = step.normal(batch.latents.shape)
        # The schedule's last step still contains a trace of the picture, but sampling starts from pure noise.
        last = (index == self.stage.student_steps).view(-1, 1, 1, 1)
        start = torch.where(last, noise, schedule.add_noise(batch.latents, noise, times))
        target = self.teach(replace(batch, latents=start), times)
        arrived = schedule.ddim_step(start, self.student.predict(start, times, conditioning), times, end)
        self.last_jump = target, arrived.detach(), end, start, times
        mse = jump_errors(arrived, target).mean()
        fidelity = jump_loss(arrived, target, schedule.leverage(times, end).clamp(min=1))
        if not self.stage.adversarial:
            return {"loss": fidelity, "mse": mse}
        adversarial = generator_loss(*self._judge([arrived], end, conditioning, start, times, step))
        loss = balance_gradients(arrived, fidelity, adversarial, self.stage.adversarial)
        return {"loss": loss, "mse": mse, "adversarial": adversarial}

    def _judge(  # noqa: PLR0917 - a jump is where and when it started and ended
        self,
        ends: Sequence[Tensor],
        end_times: Tensor,
        conditioning: Conditioning,
        start: Tensor,
        start_times: Tensor,
        step: StepContext,
    ) -> Sequence[Tensor]:
        """The discriminator's logits `(B,)` for places where the jumps end."""
        judged = [(end, end_times) for end in ends]
        if self.stage.noised_for_discriminator:
            schedule = self.student.schedule.to(step.device)
            judged = [noised_for_discriminator(*each, schedule, step) for each in judged]
        end, times = (torch.cat(parts) for parts in zip(*judged, strict=True))
        return self.discriminator(end, times, conditioning, start, start_times).chunk(len(ends))

    def sample(self) -> Image.Image | None:
        """Draw a grid of the student's pictures in 4, 2 and 1 steps."""
        return self.student.draw((4, 2, 1))
