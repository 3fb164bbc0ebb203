"""PeRFlow's scheduler against its formulae, worked out by hand."""

from __future__ import annotations

import pytest
import torch

from hypersd.models.perflow import PeRFlowScheduler

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
ALPHAS = (1 - BETAS).cumprod(dim=0)


@pytest.mark.parametrize(
    ("steps", "times"),
    [
        (4, [1000, 750, 500, 250]),
        (6, [1000, 875, 750, 625, 500, 250]),
        (8, [1000, 875, 750, 625, 500, 375, 250, 125]),
    ],
)
def test_steps_are_spread_over_the_windows(steps: int, times: list[int]) -> None:
    scheduler = PeRFlowScheduler(num_time_windows=4)
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps.tolist() == times


def test_a_window_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="at least 4 steps"):
        PeRFlowScheduler().set_timesteps(3)


def test_a_whole_window_of_a_diffusion_models_noise_is_a_step_of_ddim() -> None:
    """From a window's start to its end, with the same noise, both are √ᾱₑ x̂₀ + √(1 − ᾱₑ) ε."""
    scheduler = PeRFlowScheduler(prediction_type="ddim_eps")
    scheduler.set_timesteps(4)
    sample, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    for time, following in ((1000, 750), (500, 250)):
        start, end = ALPHAS[time - 1], ALPHAS[following - 1]
        clean = (sample - (1 - start).sqrt() * noise) / start.sqrt()
        expected = end.sqrt() * clean + (1 - end).sqrt() * noise
        assert torch.allclose(scheduler.step(noise, time, sample).prev_sample, expected.float(), atol=1e-4)


def test_a_whole_window_of_the_windows_own_noise_takes_that_noise_away() -> None:
    """Latents at the start are γ times those at the end and √(1 − γ²) times the noise, γ² = ᾱₛ/ᾱₑ."""
    scheduler = PeRFlowScheduler(prediction_type="diff_eps")
    scheduler.set_timesteps(4)
    ended, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    gamma = (ALPHAS[749] / ALPHAS[499]).sqrt()
    begun = (gamma * ended + (1 - gamma**2).sqrt() * noise).float()
    (after,) = scheduler.step(noise, torch.tensor(750), begun, return_dict=False)
    assert torch.allclose(after, ended, atol=1e-4)


def test_within_a_window_a_straight_flow_is_followed_exactly() -> None:
    """Halves of a window lead where the whole does, if the noise at its middle is that of the same straight line."""
    whole, halves = PeRFlowScheduler(prediction_type="ddim_eps"), PeRFlowScheduler(prediction_type="ddim_eps")
    whole.set_timesteps(4)
    halves.set_timesteps(8)
    sample, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    end = whole.step(noise, 1000, sample).prev_sample
    middle = halves.step(noise, 1000, sample).prev_sample
    assert torch.allclose(middle, (sample + end) / 2, atol=1e-4)
    assert torch.allclose(halves.step(noise, 875, middle).prev_sample, end, atol=1e-3)


def test_the_end_of_the_flow_is_the_clean_picture() -> None:
    scheduler = PeRFlowScheduler(prediction_type="diff_eps")
    scheduler.set_timesteps(4)
    sample, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    last = scheduler.step(noise, 250, sample)
    assert torch.allclose(last.prev_sample, last.pred_original_sample)
