"""One-step enhancement by score distillation (Hyper-SD, section 3.3; the losses of DMD, Yin et al. 2023).

A student of its own learns to draw in one step, from noise that it is told is of an earlier time (Hyper-SD's one-step
UNet: T = 800). It is steadied by a squared error against what its teacher, the few-step student, draws from the same
noise; a stage of that alone comes first. Then its pictures are moved along the difference of two scores: the
teacher's, whose consistency model points at clean pictures with less error than the base's score (the paper's
figure 3), and that of a copy which follows what the student draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from diffusers import LCMScheduler
from PIL import Image
from torch import Tensor

from hypersd.distill.losses import denoising_loss, jump_errors, score_direction, score_distillation_loss
from hypersd.distill.student import Conditioning, Student
from hypersd.distill.teacher_samples import TeacherSamples
from hypersd.models.loading import quietly
from hypersd.training.adapters import disable_adapter
from hypersd.training.objective import Objective, StepContext, TrainedNetwork
from hypersd.training.samples import draw


@dataclass(frozen=True, slots=True, kw_only=True)
class OneStepStage:
    """A stretch of the training.

    Args:
        score: weight of the score distillation; 0 leaves the squared error alone.
        fidelity: weight of the squared error.
    """

    name: str
    steps: int
    learning_rate: float
    score: float = 0.0
    fidelity: float = 1.0


STAGES = (
    OneStepStage(name="regression", steps=1500, learning_rate=6e-4),
    OneStepStage(name="score", steps=250, learning_rate=1e-4, score=1.0, fidelity=0.25),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneStepConfig:
    """Choices of this project where the paper leaves them open.

    Args:
        time: pure noise is given to the student as if it were of this time.
        score_times: both scores are taken at a time drawn from this range.
    """

    time: int = 800
    score_times: tuple[int, int] = (100, 900)
    fake_learning_rate: float = 2e-4


@dataclass(eq=False)
class OneStepDistillation(Objective[TeacherSamples]):
    """Objective of one stage.

    Args:
        fake_score: the copy that follows the student, on the few-step student as its base: with its adapter off it is
        the
            teacher. None if there is no score distillation.
    """

    student: Student
    stage: OneStepStage
    fake_score: Student | None = None
    config: OneStepConfig = field(default_factory=OneStepConfig)

    def __post_init__(self) -> None:
        self.networks = [
            TrainedNetwork(
                name="student",
                module=self.student.unet,
                learning_rate=self.stage.learning_rate,
                betas=(0.9, 0.99),
            )
        ]
        if self.fake_score is not None:
            self.networks.append(
                TrainedNetwork(name="fake", module=self.fake_score.unet, learning_rate=self.config.fake_learning_rate)
            )

    def loss(self, network: str, batch: TeacherSamples, step: StepContext) -> Mapping[str, Tensor]:
        """The student logs `mse` and, with score distillation, `gap`: how far apart the two scores are."""
        schedule = self.student.schedule.to(step.device)
        cond = self.student.text.conditioning(batch.captions)
        if network == "fake" and self.fake_score is not None:
            return {"loss": self._denoising(self.fake_score, cond, step)}
        times = torch.full((len(batch.noise),), self.config.time, device=step.device)
        drawn = schedule.predict_x0(batch.noise, self.student.predict(batch.noise, times, cond), times)
        self.last_student_output = drawn.detach()
        error = jump_errors(drawn, batch.clean).mean()
        if self.fake_score is None:
            return {"loss": error, "mse": error}
        direction = self._direction(self.fake_score, drawn.detach(), cond, step)
        distilled = score_distillation_loss(drawn, direction)
        loss = self.stage.score * distilled + self.stage.fidelity * error
        return {"loss": loss, "mse": error, "gap": direction.abs().mean()}

    @torch.no_grad()
    def _direction(self, fake: Student, drawn: Tensor, cond: Conditioning, step: StepContext) -> Tensor:
        """Difference of the two scores on the drawn pictures, noised to a random time."""
        noisy, times, _ = self._noised(drawn, step)
        schedule = self.student.schedule.to(step.device)
        with disable_adapter(fake.unet):
            real = schedule.predict_x0(noisy, fake.predict(noisy, times, cond), times)
        followed = schedule.predict_x0(noisy, fake.predict(noisy, times, cond), times)
        return score_direction(drawn, followed, real)

    def _denoising(self, fake: Student, cond: Conditioning, step: StepContext) -> Tensor:
        """The copy's own loss: predict the noise in what the student has just drawn."""
        noisy, times, noise = self._noised(self.last_student_output, step)
        return denoising_loss(fake.predict(noisy, times, cond), noise)

    def _noised(self, clean: Tensor, step: StepContext) -> tuple[Tensor, Tensor, Tensor]:
        times = step.integers(*self.config.score_times, len(clean))
        noise = step.normal(clean.shape)
        return self.student.schedule.to(step.device).add_noise(clean, noise, times), times, noise

    def sample(self) -> Image.Image | None:
        """Draw a grid of the student's pictures in one step."""
        pipeline, prompts = self.student.pipeline, self.student.sample_prompts
        if not prompts:
            return None
        pipeline.scheduler = LCMScheduler.from_config(pipeline.scheduler.config)
        with quietly():  # a first timestep of 800 is what this student is asked at
            return draw(pipeline, prompts, (1,), guidance_scale=0.0, timesteps=[self.config.time])
