"""DDIM jumps and the segments of the solver's grid."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from hypersd.sampling.denoising import denoised, denoising_steps
from hypersd.training.schedule import DDIMSolver, NoiseSchedule, PerSampleDDIMSolver, SegmentedTimesteps

SCHEDULER = DDIMScheduler(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    clip_sample=False,
    set_alpha_to_one=False,
    timestep_spacing="trailing",
)
SCHEDULE = NoiseSchedule(SCHEDULER.alphas_cumprod)


@pytest.mark.parametrize("segments", [1, 2, 4, 8])
def test_every_start_has_room_to_jump_within_its_segment(segments: int) -> None:
    grid = SegmentedTimesteps(1000, 40, segments)
    starts = torch.arange(1, 41)
    low, high = grid.time(grid.boundary(starts)), grid.time(starts - 1)
    assert (low <= high).all()
    assert (high < grid.time(starts)).all()
    ends = torch.stack([grid.ends(starts, torch.rand(starts.shape)) for _ in range(200)])
    assert (ends >= low).all()
    assert (ends <= high).all()
    assert (ends.min(dim=0).values == low)[high - low < 20].all(), "both ends of the interval are drawn"
    assert (ends.max(dim=0).values == high)[high - low < 20].all()


def test_the_floor_of_the_paper_would_leave_some_starts_without_room() -> None:
    times = torch.arange(1, 51) * 20 - 1
    boundaries = times // 500 * 500
    assert (times[boundaries > (times - 20).clamp(min=0)]).tolist() == [519]


@pytest.mark.parametrize(
    ("points", "segments"), [(40, 1), (40, 2), (40, 4), (40, 8), (48, 12), (60, 12), (42, 6), (42, 7)]
)
def test_segments_end_where_trailing_ddim_stops(points: int, segments: int) -> None:
    grid = SegmentedTimesteps(1000, points, segments)
    SCHEDULER.set_timesteps(segments)
    index = torch.arange(segments, 0, -1) * (points // segments)
    assert grid.time(index).tolist() == SCHEDULER.timesteps.tolist()
    assert SCHEDULE.trailing(segments) == [*SCHEDULER.timesteps.tolist(), 0]


@pytest.mark.parametrize("segments", [3, 16])
def test_a_grid_that_does_not_divide_is_refused(segments: int) -> None:
    with pytest.raises(ValueError, match=f"40 solver steps cannot be cut into {segments} equal segments"):
        SegmentedTimesteps(1000, 40, segments)


def test_a_jump_s_noise_is_the_one_that_leads_there() -> None:
    start, end = torch.tensor([999, 499]), torch.tensor([749, 0])
    noisy, noise = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).unbind()
    arrived = SCHEDULE.ddim_step(noisy, noise, start, end)
    torch.testing.assert_close(SCHEDULE.jump_noise(noisy, arrived, start, end), noise, rtol=1e-3, atol=1e-3)


def test_a_jump_is_the_scheduler_s_step() -> None:
    SCHEDULER.set_timesteps(4)
    latents, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    for start, end in ((999, 749), (749, 499), (249, 0)):
        mine = SCHEDULE.ddim_step(latents, noise, torch.tensor([start] * 2), torch.tensor([end] * 2))
        expected = SCHEDULER.step(noise, start, latents).prev_sample
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-4)


def test_a_jump_along_the_true_noise_stays_on_the_trajectory() -> None:
    clean, noise = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)
    start, end = torch.tensor([999, 800, 500, 100, 20]), torch.tensor([0, 799, 250, 99, 20])
    arrived = SCHEDULE.ddim_step(SCHEDULE.add_noise(clean, noise, start), noise, start, end)
    torch.testing.assert_close(arrived, SCHEDULE.add_noise(clean, noise, end), rtol=1e-3, atol=1e-3)


def test_renoising_gives_the_variance_of_the_later_time() -> None:
    torch.manual_seed(0)
    start, end = torch.tensor([250]), torch.tensor([750])
    early = SCHEDULE.add_noise(torch.zeros(1, 1, 200, 200), torch.randn(1, 1, 200, 200), start)
    later = SCHEDULE.renoise(early, torch.randn(1, 1, 200, 200), start, end)
    assert later.std().item() == pytest.approx(SCHEDULE.sigma(end).item(), rel=0.02)


def test_starts_are_uniform_but_for_the_share_at_the_ends() -> None:
    grid = SegmentedTimesteps(1000, 40, 4)
    starts = grid.starts(40_000, torch.Generator().manual_seed(0), share_of_ends=0.5)
    counts = torch.bincount(starts, minlength=41)[1:].float() / 40_000
    ends = torch.tensor([10, 20, 30, 40]) - 1
    assert counts[ends].sum().item() == pytest.approx(0.5 + 0.5 * 4 / 40, abs=0.01)
    assert (counts > 0).all()


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_the_solver_and_diffusers_take_the_same_steps_in_the_same_loop(steps: int) -> None:
    noise = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))

    def predict(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return torch.tanh(latents) * (1 + int(timestep) / 1000)

    SCHEDULER.set_timesteps(steps)
    ours = list(denoising_steps(DDIMSolver(SCHEDULE, SCHEDULE.trailing(steps)), noise, predict))
    expected = list(denoising_steps(SCHEDULER, noise, predict))
    assert [int(step.timestep) for step in ours] == [int(step.timestep) for step in expected]
    for value, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(value.latents, other.latents, rtol=1e-4, atol=1e-4)
    assert torch.equal(denoised(SCHEDULER, noise, predict), expected[-1].latents)
    assert torch.equal(denoised(SCHEDULER, noise, predict, count=0), noise)


def test_samples_with_times_of_their_own_go_as_each_goes_alone() -> None:
    noise = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    paths = ((999, 500, 0), (800, 799, 300))
    together = PerSampleDDIMSolver(SCHEDULE, [torch.tensor(times) for times in zip(*paths, strict=True)])
    arrived = denoised(
        together, noise, lambda latents, times: torch.tanh(latents) * (1 + times.view(-1, 1, 1, 1) / 1000)
    )
    for index, path in enumerate(paths):
        alone = denoised(
            DDIMSolver(SCHEDULE, path),
            noise[index : index + 1],
            lambda latents, time: torch.tanh(latents) * (1 + time / 1000),
        )
        torch.testing.assert_close(arrived[index : index + 1], alone)


def test_a_solver_s_times_fall() -> None:
    with pytest.raises(ValueError, match=r"must fall, and \[999, 999, 0\] do not"):
        DDIMSolver(SCHEDULE, (999, 999, 0))
