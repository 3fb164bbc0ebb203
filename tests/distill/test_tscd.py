"""Trajectory-segmented consistency distillation, equation by equation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from hypersd.distill.student import Student
from hypersd.distill.teacher_steps import TeacherStepBatches, TeacherSteps
from hypersd.distill.tscd import STAGES, TrajectorySegmentedConsistency, TSCDConfig, TSCDStage
from hypersd.training.adapter_passes import disable_adapter, swapped_adapter
from hypersd.training.data import LatentBatches
from hypersd.training.objective import StepContext

PLAIN = TSCDStage(segments=2, steps=1)


def step(seed: int = 0) -> StepContext:
    generator = torch.Generator().manual_seed(seed)
    return StepContext(
        number=0, progress=0, device=torch.device("cpu"), generator=generator, rng=np.random.default_rng(seed)
    )


def shaken(student: Student) -> None:
    """Give the adapter weights that change something."""
    torch.manual_seed(1)
    for weight in student.weights:
        weight.data.normal_(std=0.1)


def test_the_stages_are_the_paper_s() -> None:
    conditional = [stage for stage in STAGES if stage.conditional]
    assert [stage.segments for stage in conditional] == [8, 4, 2, 1]
    assert len({stage.name for stage in STAGES}) == len(STAGES)
    shares = [stage.adversarial for stage in conditional]
    assert shares == sorted(shares), "the adversarial part grows as prediction and target diverge"
    assert shares[:2] == [0, 0]


@pytest.mark.parametrize("segments", [1, 2, 4, 8])
def test_the_target_is_the_average_student_s_jump_from_the_teacher_s_step(
    student: Student, scenes: LatentBatches, segments: int
) -> None:
    shaken(student)
    stage = TSCDStage(segments=segments, steps=1)
    objective = TrajectorySegmentedConsistency(student, stage, TSCDConfig(guidance=(3.0, 3.0)))
    for average in objective.average:
        average.mul_(0.5)
    batch = scenes(step())
    jump = objective.prepare(batch, step())
    schedule, grid = student.schedule, objective.grid
    index = (jump.start_times + 1) // (1000 // grid.points)
    before = grid.time(index - 1)
    assert (jump.end_times >= grid.time(grid.boundary(index))).all()
    assert (jump.end_times <= before).all()
    conditioning = student.text.conditioning(batch.captions)
    empty = student.text.conditioning([""] * len(batch.captions))
    with torch.no_grad(), disable_adapter(student.unet):
        without = student.predict(jump.start, jump.start_times, empty)
        guided = without + 3.0 * (student.predict(jump.start, jump.start_times, conditioning) - without)
    nearer = schedule.ddim_step(jump.start, guided, jump.start_times, before)
    with torch.no_grad(), swapped_adapter(student.unet, objective.average):
        target = schedule.ddim_step(nearer, student.predict(nearer, before, conditioning), before, jump.end_times)
    torch.testing.assert_close(jump.target, target, rtol=1e-3, atol=1e-3)


def test_a_cached_step_of_the_teacher_gives_the_loss_of_the_same_step_asked_now(
    student: Student, scenes: LatentBatches
) -> None:
    shaken(student)
    config = TSCDConfig(solver_steps=16)
    objective = TrajectorySegmentedConsistency(student, TSCDStage(segments=8, steps=1), config)
    steps = TeacherSteps(
        student=student,
        data=scenes.data,
        latents=scenes.latents,
        grid=objective.grid,
        guidance=config.guidance,
        offset_noise=config.offset_noise,
    )
    cached = steps.predict(range(20)).half().numpy()
    batches = TeacherStepBatches(steps, cached, 8, objective.grid, config.share_of_ends)
    batch = batches(step())
    assert torch.equal(batch.starts, objective.grid.starts(8, step().generator, config.share_of_ends))
    other = StepContext(**{**vars(step()), "shard": 1, "shards": 2})
    assert torch.equal(batches(other).noisy, batch.noisy[1::2]), "shards share a step's draws"
    numbers = [int(abs(cached - row).sum(axis=(1, 2, 3)).argmin()) for row in batch.predicted.numpy()]
    now = steps.drawn(numbers)
    assert now.examples.captions == batch.captions
    asked = now.with_prediction(now.predict(student, objective.grid.time(now.starts)))
    losses = [float(objective.loss("student", each, step())["loss"].detach()) for each in (batch, asked)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_last_time_starts_from_noise_alone(student: Student, scenes: LatentBatches) -> None:
    objective = TrajectorySegmentedConsistency(student, PLAIN, TSCDConfig(share_of_ends=1.0, offset_noise=0.0))
    batch = scenes(step())
    brighter = type(batch)(batch.latents + 100, batch.captions)
    jump, other = objective.prepare(batch, step(2)), objective.prepare(brighter, step(2))
    last = jump.start_times == 999
    assert last.any()
    assert not last.all()
    torch.testing.assert_close(jump.start[last], other.start[last])
    assert not torch.allclose(jump.start[~last], other.start[~last])


def test_only_the_adapter_learns_and_its_average_follows(student: Student, scenes: LatentBatches) -> None:
    objective = TrajectorySegmentedConsistency(student, PLAIN)
    learning = {name for name, value in student.unet.named_parameters() if value.requires_grad}
    assert learning
    assert all("lora_" in name for name in learning)
    loss = objective.loss("student", scenes(step()), step())["loss"]
    loss.backward(inputs=list(student.weights))
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in student.weights)
    before = [average.clone() for average in objective.average]
    shaken(student)
    objective.after_step(step())
    decay = objective.config.ema_decay
    for average, old, weight in zip(objective.average, before, student.weights, strict=True):
        torch.testing.assert_close(average, decay * old + (1 - decay) * weight.detach())


def test_drawing_in_one_step_is_matched_to_drawing_in_several(student: Student, scenes: LatentBatches) -> None:
    shaken(student)
    config = TSCDConfig(one_step_teacher=2)
    objective = TrajectorySegmentedConsistency(student, TSCDStage(segments=1, steps=1, one_step=0.5), config)
    batch = scenes(step())
    jump = objective.prepare(batch, step())
    assert (jump.start_times[2:] == 999).all(), "the paper's unified adapter"
    assert (jump.end_times[2:] == 0).all()
    student.pipeline.scheduler = DDIMScheduler.from_config(
        student.pipeline.scheduler.config, timestep_spacing="trailing", set_alpha_to_one=False
    )
    drawn = student.pipeline(
        batch.captions[2:],
        num_inference_steps=2,
        guidance_scale=0,
        latents=jump.start[2:],
        output_type="latent",
        height=student.text.pixels,
        width=student.text.pixels,
    ).images
    torch.testing.assert_close(jump.target[2:], drawn, rtol=1e-3, atol=1e-3)


def test_the_discriminator_judges_what_the_student_just_drew(student: Student, scenes: LatentBatches) -> None:
    objective = TrajectorySegmentedConsistency(student, TSCDStage(segments=1, steps=1, adversarial=0.5))
    batch = scenes(step())
    losses = objective.loss("student", batch, step())
    losses["loss"].backward(inputs=list(student.weights))
    jump, arrived = objective.last_jump
    assert not arrived.requires_grad
    torch.testing.assert_close(losses["mse"], (arrived - jump.target).square().mean())
    judged = objective.loss("discriminator", batch, step())["loss"]
    judged.backward(inputs=[value for value in objective.discriminator.parameters() if value.requires_grad])
    assert objective.discriminator.head[0].weight.grad is not None


def test_a_noised_discriminator_sees_both_sides_later(student: Student, scenes: LatentBatches) -> None:
    stage = TSCDStage(segments=1, steps=1, adversarial=0.5, noised=True, conditional=False)
    objective = TrajectorySegmentedConsistency(student, stage)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    objective.discriminator.register_forward_pre_hook(lambda _, given: seen.append((given[0], given[1])))
    batch = scenes(step())
    objective.loss("student", batch, step())["loss"].backward(inputs=list(student.weights))
    objective.loss("discriminator", batch, step())
    jump, arrived = objective.last_jump
    sides = [end for end, _ in seen]
    assert [len(end) for end in sides] == [4, 8], "the student's turn, then the target and the student's end"
    for end, times in zip(torch.cat(sides).chunk(3), torch.cat([times for _, times in seen]).chunk(3), strict=True):
        later = times > jump.end_times
        assert (later | (times == jump.end_times)).all()
        assert set(times[later].tolist()) <= {10, 250, 500, 750}
        assert not torch.allclose(end[later], arrived[later])


def test_latent_consistency_ends_its_jumps_at_the_clean_end(student: Student, scenes: LatentBatches) -> None:
    stage = TSCDStage(segments=1, steps=1, ends="clean")
    objective = TrajectorySegmentedConsistency(student, stage, TSCDConfig(huber=1e-3))
    assert (objective.prepare(scenes(step()), step()).end_times == 0).all()
    assert torch.isfinite(objective.loss("student", scenes(step()), step())["loss"])


def test_a_teacher_without_guidance_is_the_base_alone(student: Student, scenes: LatentBatches) -> None:
    shaken(student)
    objective = TrajectorySegmentedConsistency(student, PLAIN, TSCDConfig(guidance=None, solver_steps=48))
    batch = scenes(step())
    jump = objective.prepare(batch, step())
    grid, schedule = objective.grid, student.schedule
    index = torch.tensor([int((grid.time(torch.arange(49)) == time).nonzero()[-1]) for time in jump.start_times])
    before, conditioning = grid.time(index - 1), student.text.conditioning(batch.captions)
    with torch.no_grad():
        with disable_adapter(student.unet):
            predicted = student.predict(jump.start, jump.start_times, conditioning)
        nearer = schedule.ddim_step(jump.start, predicted, jump.start_times, before)
        with swapped_adapter(student.unet, objective.average):
            target = schedule.ddim_step(nearer, student.predict(nearer, before, conditioning), before, jump.end_times)
    torch.testing.assert_close(jump.target, target, rtol=1e-3, atol=1e-3)


def test_leverage_is_how_far_an_error_in_the_noise_moves_the_end(student: Student) -> None:
    schedule = student.schedule
    start, end = torch.tensor([999, 800, 499, 249]), torch.tensor([0, 0, 249, 0])
    noisy, noise = torch.randn(2, 4, 12, 4, 4).unbind(0)
    moved = schedule.ddim_step(noisy, noise + 1, start, end) - schedule.ddim_step(noisy, noise, start, end)
    torch.testing.assert_close(schedule.leverage(start, end), moved.abs().amax(dim=(1, 2, 3)), rtol=1e-3, atol=1e-3)
