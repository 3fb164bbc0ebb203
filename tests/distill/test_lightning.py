"""Progressive adversarial distillation: each stage does in one step what its teacher does in several."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from hypersd.distill.lightning import STAGES, LightningConfig, LightningStage, ProgressiveAdversarial
from hypersd.distill.losses import discriminator_loss
from hypersd.distill.student import Student
from hypersd.training.adapter_passes import disable_adapter, swapped_adapter
from hypersd.training.data import LatentBatches
from tests.distill.conftest import step

FIRST = LightningStage(name="2-step", teacher_steps=4, student_steps=2, steps=1)


def shaken(student: Student) -> None:
    """Give the adapter weights that change something."""
    for weight in student.weights:
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(1))


def test_each_stage_takes_up_where_the_one_before_left() -> None:
    for before, after in pairwise(STAGES):
        assert after.teacher_steps in (before.student_steps, before.teacher_steps)
    assert not STAGES[0].adversarial
    assert [stage.conditional for stage in STAGES] == [True, True, True, False]


@torch.no_grad()
def test_the_first_teacher_is_the_guided_base_in_two_steps(student: Student, scenes: LatentBatches) -> None:
    shaken(student)
    objective = ProgressiveAdversarial(student, FIRST, None, LightningConfig(guidance_scale=2.0))
    batch, times = scenes(step()), torch.tensor([999, 499, 999, 499])
    schedule, scale = student.schedule, torch.full((4,), 2.0)
    with disable_adapter(student.unet):
        halfway, end = times - 250, (times - 500).clamp(min=0)
        moved = schedule.ddim_step(
            batch.latents, student.guided(batch.latents, times, batch.captions, scale), times, halfway
        )
        target = schedule.ddim_step(moved, student.guided(moved, halfway, batch.captions, scale), halfway, end)
    torch.testing.assert_close(objective.teach(batch, times), target)


@torch.no_grad()
def test_a_later_teacher_is_the_stage_before_without_guidance(student: Student, scenes: LatentBatches) -> None:
    shaken(student)
    earlier = [0.5 * weight.detach() for weight in student.weights]
    objective = ProgressiveAdversarial(student, replace(FIRST, teacher_steps=2, student_steps=2), earlier)
    batch, times = scenes(step()), torch.tensor([999, 499, 999, 499])
    with swapped_adapter(student.unet, earlier):
        noise = student.predict(batch.latents, times, student.text.conditioning(batch.captions))
    target = student.schedule.ddim_step(batch.latents, noise, times, (times - 500).clamp(min=0))
    torch.testing.assert_close(objective.teach(batch, times), target)


def test_the_loss_is_the_distance_to_where_the_teacher_arrives(student: Student, scenes: LatentBatches) -> None:
    objective = ProgressiveAdversarial(student, FIRST, None)
    batch = scenes(step())
    losses = objective.loss("student", batch, step(3))
    target, arrived, end, start, times = objective.last_jump
    assert set(zip(times.tolist(), end.tolist(), strict=True)) == {(999, 499), (499, 0)}
    brighter = type(batch)(batch.latents + 100, batch.captions)
    objective.loss("student", brighter, step(3))
    last = times == 999
    assert torch.equal(objective.last_jump[3][last], start[last]), "from noise alone at the schedule's end"
    assert not torch.equal(objective.last_jump[3][~last], start[~last])
    errors = (arrived - target).square().mean(dim=(1, 2, 3))
    leverage = student.schedule.leverage(times, end).clamp(min=1)
    assert float(losses["mse"].detach()) == pytest.approx(float(errors.mean()), rel=1e-5)
    assert float(losses["loss"].detach()) == pytest.approx(float((errors / leverage).mean()), rel=1e-5)


def test_the_discriminator_tells_the_teachers_jumps_from_the_students(student: Student, scenes: LatentBatches) -> None:
    stage = replace(FIRST, adversarial=0.5)
    objective = ProgressiveAdversarial(student, stage, None)
    assert [network.name for network in objective.networks] == ["student", "discriminator"]
    batch = scenes(step())
    losses = objective.loss("student", batch, step())
    losses["loss"].backward(inputs=list(student.weights))
    assert float(losses["adversarial"].detach()) > 0
    target, arrived, end, start, times = objective.last_jump
    conditioning = student.text.conditioning(batch.captions)
    real, fake = (objective.discriminator(x, end, conditioning, start, times) for x in (target, arrived))
    judged = objective.loss("discriminator", batch, step())["loss"]
    torch.testing.assert_close(judged, discriminator_loss(real, fake))


def test_where_both_sides_are_noised_first_the_later_time_is_judged(student: Student, scenes: LatentBatches) -> None:
    stage = replace(FIRST, adversarial=0.5, noised_for_discriminator=True)
    objective = ProgressiveAdversarial(student, stage, None)
    objective.loss("student", scenes(step()), step())
    target, _, end, start, times = objective.last_jump
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    objective.discriminator.register_forward_pre_hook(lambda _, given: seen.append((given[0], given[1])))
    objective.loss("discriminator", scenes(step()), step())
    ((sides, side_times),) = seen
    for judged, when in zip(sides.chunk(2), side_times.chunk(2), strict=True):
        assert (when >= end).all()
        assert set(when[end == 0].tolist()) <= {10, 250, 500, 750}
        assert not torch.equal(judged, target)
    assert start.shape == target.shape
    assert times.shape == end.shape
