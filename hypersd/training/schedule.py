"""The probability-flow ODE of a noise-predicting model: DDIM steps, the solver's grid, and its segments.

Notation: a noisy latent is x_t = α_t x_0 + σ_t ε with α_t = √ᾱ_t and σ_t = √(1 − ᾱ_t).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from hypersd.training.objective import StepContext


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """ᾱ for each of the T training timesteps, `(T,)`."""

    alphas_cumprod: Tensor

    def to(self, device: torch.device) -> NoiseSchedule:
        """The same schedule on another device."""
        return NoiseSchedule(self.alphas_cumprod.to(device))

    @property
    def num_train_timesteps(self) -> int:
        """T."""
        return len(self.alphas_cumprod)

    def trailing(self, steps: int) -> list[int]:
        """The times between which DDIM jumps with "trailing" spacing: from T − 1 down to 0, `steps` + 1 of them."""
        return [max(0, round(index * self.num_train_timesteps / steps) - 1) for index in range(steps, -1, -1)]

    def alpha(self, times: Tensor) -> Tensor:
        """α at `times` `(B,)`, shaped `(B, 1, 1, 1)`."""
        return self.alphas_cumprod[times].sqrt().view(-1, 1, 1, 1)

    def sigma(self, times: Tensor) -> Tensor:
        """σ at `times` `(B,)`, shaped `(B, 1, 1, 1)`."""
        return (1 - self.alphas_cumprod[times]).sqrt().view(-1, 1, 1, 1)

    def add_noise(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """x_t from x_0 and ε."""
        return self.alpha(times) * clean + self.sigma(times) * noise

    def noised(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """x_t for training: at the last time ε alone.

        The schedule's last step still contains a trace of the picture, but sampling starts from pure noise.
        """
        last = (times == self.num_train_timesteps - 1).view(-1, 1, 1, 1)
        return torch.where(last, noise, self.add_noise(clean, noise, times))

    def predict_x0(self, noisy: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """x̂_0 from x_t and a predicted ε."""
        return (noisy - self.sigma(times) * noise) / self.alpha(times)

    def ddim_step(self, noisy: Tensor, noise: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Ψ, the DDIM jump (Song et al. 2020, eq. 12 with σ = 0): from `start` to `end` along a predicted ε."""
        return self.alpha(end) * self.predict_x0(noisy, noise, start) + self.sigma(end) * noise

    def jump_noise(self, noisy: Tensor, arrived: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """The ε for which `ddim_step` maps `noisy` at `start` to `arrived` at the earlier time `end`."""
        kept = self.alpha(end) / self.alpha(start)
        return (arrived - kept * noisy) / (self.sigma(end) - kept * self.sigma(start))

    def leverage(self, start: Tensor, end: Tensor) -> Tensor:
        """Factor from an error in ε̂ to the error at the end of a jump, `(B,)`: |α_end·σ_start/α_start − σ_end|."""
        moved = self.alpha(end) * self.sigma(start) / self.alpha(start) - self.sigma(end)
        return moved.abs().flatten()

    def renoise(self, noisy: Tensor, noise: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Diffuse x_start to the later time `end` with new noise ε."""
        kept = self.alpha(end) / self.alpha(start)
        return (
            kept * noisy + (self.sigma(end).square() - (kept * self.sigma(start)).square()).clamp(min=0).sqrt() * noise
        )


@dataclass(frozen=True, slots=True)
class DDIMOutput:
    """Result of a step, `(B, C, H, W)`, with the field name of diffusers' schedulers."""

    prev_sample: Tensor


@dataclass(frozen=True, eq=False)
class DDIMSolver:
    """DDIM jumps between any times, with the interface of diffusers' schedulers (see `hypersd.sampling.denoising`).

    Args:
        schedule: on the latents' device.
        times: strictly decreasing, one more than the number of steps.

    Raises:
        ValueError: the times are not decreasing.
    """

    schedule: NoiseSchedule
    times: Sequence[int]

    def __post_init__(self) -> None:
        if any(later >= earlier for earlier, later in pairwise(self.times)):
            raise ValueError(f"the times of a solver must fall, and {list(self.times)} do not")

    @property
    def timesteps(self) -> Tensor:
        """The start times of all steps, on the CPU: a loop over a GPU tensor would synchronise at each element."""
        return torch.tensor(self.times[:-1])

    def scale_model_input(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The latents themselves."""
        return latents

    def step(self, predicted: Tensor, timestep: Tensor, latents: Tensor) -> DDIMOutput:
        """Jump from a time to the next along a predicted noise."""
        end = self.times[list(self.times).index(int(timestep)) + 1]
        start_times, end_times = (
            torch.full((len(latents),), int(time), device=latents.device) for time in (timestep, end)
        )
        return DDIMOutput(self.schedule.ddim_step(latents, predicted, start_times, end_times))


@dataclass(frozen=True, eq=False)
class PerSampleDDIMSolver:
    """DDIM jumps at times that differ from sample to sample, with the same interface.

    Args:
        schedule: on the latents' device.
        times: one `(B,)` tensor more than there are jumps; each sample's times fall.
    """

    schedule: NoiseSchedule
    times: Sequence[Tensor]

    @property
    def timesteps(self) -> Sequence[Tensor]:
        """The times where jumps begin."""
        return self.times[:-1]

    def scale_model_input(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The latents themselves."""
        return latents

    def step(self, predicted: Tensor, timestep: Tensor, latents: Tensor) -> DDIMOutput:
        """Jump from one of `timesteps`, the tensor itself, to the next along a predicted noise."""
        # Identity, not equality: a comparison of values would make the processor wait for the GPU at each step.
        index = next(index for index, times in enumerate(self.times) if times is timestep)
        return DDIMOutput(self.schedule.ddim_step(latents, predicted, timestep, self.times[index + 1]))


def offset_noise(shape: Sequence[int], step: StepContext, strength: float) -> Tensor:
    """Unit noise `(B, C, H, W)` whose channels are also shifted as a whole (Guttenberg 2023): less drift."""
    noise = step.normal(shape)
    shift = step.normal((*shape[:2], 1, 1))
    return noise + strength * shift


@dataclass(frozen=True, slots=True)
class SegmentedTimesteps:
    """The solver's times 0 = t_0 < t_1 < … < t_N = T − 1, with t_i = ⌊i·T/N⌉ − 1, cut into k equal segments.

    Hyper-SD (eq. 11) puts a segment's lower boundary at ⌊t_n / (T/k)⌋·T/k, which for some n lies above t_{n−1}, so
    that no target time exists. Here boundaries are points of the grid, so a target always exists, and the segments'
    upper ends are the times of DDIM's "trailing" spacing with k steps.

    Raises:
        ValueError: N is not a multiple of k, or more than T.
    """

    timesteps: int
    points: int
    segments: int

    def __post_init__(self) -> None:
        if self.points % self.segments or self.points > self.timesteps:
            raise ValueError(
                f"{self.points} solver steps cannot be cut into {self.segments} equal segments "
                f"of {self.timesteps} timesteps"
            )

    def time(self, index: Tensor) -> Tensor:
        """t_i, rounded like diffusers' "trailing" times."""
        return ((index * self.timesteps).double().div(self.points).round().long() - 1).clamp(min=0)

    def boundary(self, index: Tensor) -> Tensor:
        """The index of the lower end of the segment of a trajectory that starts at t_index, index ≥ 1."""
        length = self.points // self.segments
        return (index - 1) // length * length

    def starts(self, count: int, generator: torch.Generator, share_of_ends: float = 0.0) -> Tensor:
        """Random indices n in 1 … N `(count,)`; a share of them are upper ends of segments, where sampling starts."""
        device = generator.device
        anywhere = torch.randint(1, self.points + 1, (count,), generator=generator, device=device)
        segment = torch.randint(1, self.segments + 1, (count,), generator=generator, device=device)
        at_end = torch.rand(count, generator=generator, device=device) < share_of_ends
        return torch.where(at_end, segment * (self.points // self.segments), anywhere)

    def ends(self, starts: Tensor, fraction: Tensor) -> Tensor:
        """Times t_end at a fraction `(B,)` in [0, 1) of the integers in [t_b, t_{n−1}], in equal shares."""
        low, high = self.time(self.boundary(starts)), self.time(starts - 1)
        return low + (fraction * (high - low + 1)).long().clamp(max=high - low)
