"""The student learns its own jumps: from where it arrives by itself to where the teacher arrives from there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from hypersd.distill.backward import BackwardConfig, BackwardDistillation, JumpBatches, OwnJumps, own_jumps
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import caption_for, noise_for
from hypersd.emoji.scenes import TrainingScenes
from hypersd.training.adapter_passes import disable_adapter
from tests.distill.conftest import step

SETTINGS = BackwardConfig(shares=(0.25, 0.75), solver_steps=2, guidance=2.0)


@pytest.fixture
def unlike_the_base(student: Student) -> Student:
    """A student whose adapter changes what is drawn."""
    for weight in student.weights:
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(1))
    return student


@torch.no_grad()
def test_jumps_start_on_the_students_way_and_end_where_the_guided_base_goes(unlike_the_base: Student) -> None:
    student, captions = unlike_the_base, ["a cat", "a dog"]
    noise = noise_for(range(2), student.latent_shape)
    jumps = own_jumps(student, noise, captions, SETTINGS)
    assert jumps.shape == (2, 2, 2, *student.latent_shape)
    assert torch.equal(jumps[:, 0, 0], noise)

    times = [torch.full((2,), time) for time in (999, 499, 250, 0)]
    schedule, cond = student.schedule, student.text.conditioning(captions)
    halfway = schedule.ddim_step(noise, student.predict(noise, times[0], cond), times[0], times[1])
    assert torch.allclose(jumps[:, 1, 0], halfway, atol=1e-5)
    target, scale = halfway, torch.full((2,), 2.0)
    with disable_adapter(student.unet):
        for here, there in pairwise(times[1:]):
            target = schedule.ddim_step(target, student.guided(target, here, captions, scale), here, there)
    torch.testing.assert_close(jumps[:, 1, 1], target, rtol=1e-3, atol=1e-3)
    ends = student.trajectory(noise, 2, cond)
    assert not torch.allclose(jumps[:, 1, 1], ends, atol=0.05), "the student itself goes elsewhere"


def test_the_loss_is_the_distance_between_the_ends_of_the_jumps(unlike_the_base: Student) -> None:
    student = unlike_the_base
    objective = BackwardDistillation(student, SETTINGS)
    start, start_times = noise_for(range(2), student.latent_shape), torch.tensor([999, 499])
    end_times = torch.tensor([499, 0])
    with torch.no_grad():
        noise = student.predict(start, start_times, student.text.conditioning(["a cat", "a dog"]))
        arrived = student.schedule.ddim_step(start, noise, start_times, end_times)
    for moved in (0.0, 0.5):
        batch = OwnJumps(start, start_times, arrived + moved, end_times, ["a cat", "a dog"])
        losses = objective.loss("student", batch, step())
        assert float(losses["mse"].detach()) == pytest.approx(moved**2, abs=1e-6)
        leverage = student.schedule.leverage(start_times, end_times)
        assert float(losses["loss"].detach()) == pytest.approx(moved**2 * float((1 / leverage).mean()), abs=1e-5)


def test_a_batch_takes_jumps_by_their_shares(student: Student, examples: TrainingScenes) -> None:
    captions = [caption_for(examples, index) for index in range(5)]
    noise = noise_for(range(5), student.latent_shape)
    drawn = own_jumps(student, noise, captions, SETTINGS).numpy().astype(np.float16)
    assert drawn.shape == (5, 2, 2, *student.latent_shape)
    batch = JumpBatches(examples, student, drawn, 400, SETTINGS)(step())
    assert set(zip(batch.start_times.tolist(), batch.end_times.tolist(), strict=True)) == {(999, 499), (499, 0)}
    assert 0.65 < float((batch.start_times == 499).float().mean()) < 0.85
    first = int((batch.start_times == 999).nonzero()[0])
    index = next(
        i for i in range(5) if torch.allclose(batch.start[first], noise_for([i], student.latent_shape)[0], atol=0.01)
    )
    assert batch.captions[first] == caption_for(examples, index), "each jump with its own caption"
