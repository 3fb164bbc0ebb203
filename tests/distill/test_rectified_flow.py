"""PeRFlow: the student learns the straight line from a window's start to the teacher's end of it."""

from __future__ import annotations

import pytest
import torch

from hypersd.distill.rectified_flow import PeRFlowConfig, PiecewiseRectifiedFlow
from hypersd.distill.student import Student
from hypersd.sampling.denoising import denoised
from hypersd.training.adapter_passes import disable_adapter
from hypersd.training.data import CaptionedLatents, LatentBatches
from hypersd.training.schedule import DDIMSolver
from tests.distill.conftest import step


def test_windows_are_those_of_sampling_in_as_many_steps(student: Student) -> None:
    assert PiecewiseRectifiedFlow(student).times == [999, 749, 499, 249, 0]


def test_the_teacher_takes_guided_ddim_steps_through_a_window(student: Student) -> None:
    objective = PiecewiseRectifiedFlow(student, PeRFlowConfig(solver_steps=2, guidance=5.0))
    latents = torch.randn(2, *student.latent_shape, generator=torch.Generator().manual_seed(0))
    captions, scale = ["a cat", "a dog"], torch.tensor([5.0, 5.0])

    def guided(noisy: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        with disable_adapter(student.unet):
            return student.guided(noisy, timestep.expand(2), captions, scale)

    expected = denoised(DDIMSolver(student.schedule, [749, 624, 499]), latents, guided)
    carried = objective.carry(CaptionedLatents(latents, captions), torch.tensor([749, 749]), torch.tensor([499, 499]))
    torch.testing.assert_close(carried, expected, rtol=1e-3, atol=1e-3)


def test_a_student_that_knows_the_line_has_no_loss(student: Student, scenes: LatentBatches) -> None:
    objective = PiecewiseRectifiedFlow(student, PeRFlowConfig(solver_steps=1, guidance=1.0, share_of_starts=1.0))
    # In one unguided step the teacher's end is its own DDIM jump, and the untrained student is its teacher.
    losses = objective.loss("student", scenes(step()), step())
    assert float(losses["loss"].detach()) == pytest.approx(0, abs=1e-6)
    assert float(losses["mse"].detach()) == pytest.approx(0, abs=1e-6)
    torch.nn.init.normal_(student.weights[-1], std=0.5)
    torch.nn.init.normal_(student.weights[-2], std=0.5)
    assert float(objective.loss("student", scenes(step()), step())["loss"].detach()) > 1e-6
