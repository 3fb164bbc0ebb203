"""One-step enhancement by score distillation (Hyper-SD, section 3.3; the losses of DMD, Yin et al. 2023).

A squared error against the pictures that the teacher, the few-step student, draws from the same noise stabilises the
training; the first stage uses it alone. Then the student's pictures are moved along the difference of two scores: the
teacher's, and that of a copy trained on the student's outputs (the fake score). The teacher is the consistency model,
which according to the paper predicts clean pictures with less error than the base's guided score (its figure 3; see
`hypersd.distill.score_error`); with the base's score this is plain DMD.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from diffusers import LCMScheduler
from PIL import Image
from torch import Tensor

from hypersd.distill.catalog import RealScore
from hypersd.distill.losses import denoising_loss, jump_errors, score_direction, score_distillation_loss
from hypersd.distill.score_models import FAKE, ScoreModels
from hypersd.distill.student import Conditioning, Student
from hypersd.distill.teacher_samples import TeacherSamples
from hypersd.models.libraries import quietly
from hypersd.training.objective import Objective, StepContext
from hypersd.training.samples import draw


class FeedbackLoss(Protocol):
    """The human-feedback loss (eq. 13) of pictures `(B, 3, H, W)` in [-1, 1] and their prompts: a scalar."""

    @property
    def fingerprint(self) -> str:
        """A hash of the reward models behind it."""
        ...

    def __call__(self, pictures: Tensor, prompts: Sequence[str]) -> Tensor:
        """ReLU(α − r), with a gradient in the pictures."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OneStepStage:
    """A stage of the training.

    Args:
        score: weight of the score distillation; with 0 only the squared error is used.
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
        time: timestep passed to the student with pure noise: 800 as for the published one-step UNet, the schedule's
            last for the unified adapter.
        real: the model of the teacher's score.
        guidance: of the base's score; the consistency model's guidance is distilled.
        score_times: range of the random time of both scores.
        fake_updates: updates of the fake-score model per step (DMD2, Yin et al. 2024).
        feedback: weight of the human-feedback loss, if there is one.
    """

    time: int = 800
    real: RealScore = "consistency"
    guidance: float = 3.0
    score_times: tuple[int, int] = (20, 980)
    fake_updates: int = 3
    fake_learning_rate: float = 2e-4
    feedback: float = 0.1


@dataclass(eq=False)
class OneStepDistillation(Objective[TeacherSamples]):
    """Objective of one stage.

    Args:
        scores: of the teacher, and of the copy that is trained on the student's outputs; None without score
            distillation.
        feedback: an additional human-feedback loss.
    """

    student: Student
    stage: OneStepStage
    scores: ScoreModels | None = None
    config: OneStepConfig = field(default_factory=OneStepConfig)
    feedback: FeedbackLoss | None = None

    def __post_init__(self) -> None:
        self.networks = [self.student.network(self.stage.learning_rate)]
        if self.scores is not None:
            self.networks.append(self.scores.network(self.config.fake_learning_rate, self.config.fake_updates))

    def loss(self, network: str, batch: TeacherSamples, step: StepContext) -> Mapping[str, Tensor]:
        """The student logs `mse`; with score distillation `gap`, the distance of the scores; and `feedback`."""
        cond = self.student.text.conditioning(batch.captions)
        if network == FAKE and self.scores is not None:
            return {"loss": self._denoising(self.scores, cond, step)}
        schedule = self.student.schedule.to(step.device)
        times = torch.full((len(batch.noise),), self.config.time, device=step.device)
        drawn = schedule.predict_x0(batch.noise, self.student.predict(batch.noise, times, cond), times)
        self.last_student_output = drawn.detach()
        logged = {"mse": jump_errors(drawn, batch.clean).mean()}
        loss = self.stage.fidelity * logged["mse"]
        if self.scores is not None:
            direction = self._direction(self.scores, drawn.detach(), batch.captions, step)
            loss = loss + self.stage.score * score_distillation_loss(drawn, direction)
            logged["gap"] = direction.abs().mean()
        if self.feedback is not None:
            logged["feedback"] = self.feedback(self.student.picture(drawn), batch.captions)
            loss = loss + self.config.feedback * logged["feedback"]
        return {"loss": loss, **logged}

    @torch.no_grad()
    def _direction(self, scores: ScoreModels, drawn: Tensor, captions: Sequence[str], step: StepContext) -> Tensor:
        """Difference of the two scores on the drawn pictures, noised to a random time."""
        noisy, times, _ = self._noised(drawn, step)
        schedule = self.student.schedule.to(step.device)
        fake, real = (
            schedule.predict_x0(noisy, noise, times)
            for noise in scores.both(noisy, times, captions, self.config.guidance)
        )
        return score_direction(drawn, fake, real)

    def _denoising(self, scores: ScoreModels, cond: Conditioning, step: StepContext) -> Tensor:
        """The fake score's loss: predict the noise in the student's latest outputs."""
        noisy, times, noise = self._noised(self.last_student_output, step)
        return denoising_loss(scores.fake(noisy, times, cond), noise)

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
        with quietly():  # the scheduler warns about the first timestep of 800, which is intended
            return draw(pipeline, prompts, (1,), guidance_scale=0.0, timesteps=[self.config.time])
