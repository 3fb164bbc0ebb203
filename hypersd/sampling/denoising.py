"""The denoising loop over a scheduler's timesteps, for every model, with or without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hypersd.models.libraries import quietly
from hypersd.models.specs import Recipe

Predict = Callable[[Tensor, Tensor], Tensor]
"""Function from latents `(B, C, H, W)`, scaled by the scheduler, and a timestep to the predicted noise."""


@dataclass(frozen=True, slots=True)
class DenoisingStep:
    """One step of the loop.

    Args:
        timestep: start of the step.
        noisy: the latents at the start, `(B, C, H, W)`.
        predicted: the noise predicted in them.
        output: the scheduler's, with `prev_sample`.
    """

    timestep: Tensor
    noisy: Tensor
    predicted: Tensor
    output: Any

    @property
    def latents(self) -> Tensor:
        """The latents at the end, `(B, C, H, W)`."""
        return self.output.prev_sample


def denoising_steps(
    scheduler: Any, latents: Tensor, predict: Predict, *, arguments: Mapping[str, Any] | None = None, count: int = -1
) -> Iterator[DenoisingStep]:
    """Take a scheduler's steps one after another.

    Args:
        scheduler: of diffusers, its times set; or one with its interface (`DDIMSolver`).
        latents: unit noise times the scheduler's `init_noise_sigma`, or latents at its first time.
        predict: the model.
        arguments: for the scheduler's `step`.
        count: of steps to take; all of them by default.
    """
    timesteps = scheduler.timesteps if count < 0 else scheduler.timesteps[:count]
    for timestep in timesteps:
        predicted = predict(scheduler.scale_model_input(latents, timestep), timestep)
        output = scheduler.step(predicted, timestep, latents, **(arguments or {}))
        yield DenoisingStep(timestep, latents, predicted, output)
        latents = output.prev_sample


def denoised(
    scheduler: Any, latents: Tensor, predict: Predict, *, arguments: Mapping[str, Any] | None = None, count: int = -1
) -> Tensor:
    """The final latents of `denoising_steps`; the initial ones if it takes no step."""
    for step in denoising_steps(scheduler, latents, predict, arguments=arguments, count=count):
        latents = step.latents
    return latents


def set_timesteps(scheduler: Any, recipe: Recipe, device: torch.device | None = None) -> None:
    """Set a scheduler's timesteps to the recipe's, or by its number of steps."""
    times = {"timesteps": list(recipe.timesteps)} if recipe.timesteps else {"num_inference_steps": recipe.steps}
    with quietly():  # LCM's scheduler warns of times that do not begin at 999; these are the recipe's own
        scheduler.set_timesteps(**times, **({} if device is None else {"device": device}))
