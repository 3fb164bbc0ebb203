"""Rollouts of a student along its own schedule, with a gradient through one step of it, as ReFL needs it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypersd.distill.student import Conditioning, Student
from hypersd.models.schedulers import build_scheduler
from hypersd.models.specs import Recipe
from hypersd.sampling.denoising import denoised, set_timesteps
from hypersd.sampling.sampler import clean_latents, step_arguments
from hypersd.training.adapter_passes import disable_adapter, fused_adapter
from hypersd.training.objective import StepContext

_VISIBLE = 0.1
"""The least ᾱ at which a noised picture is asked about; see `visible_times`."""


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """Prompts and the noise that each begins with, `(B, C, H, W)`."""

    prompts: list[str]
    noise: Tensor


@dataclass(frozen=True, slots=True)
class Rollout:
    """Clean latents `(B, C, H, W)`: the student's, and those of the untuned student from the same place."""

    tuned: Tensor
    untuned: Tensor


@dataclass(frozen=True)
class PromptBatches:
    """Batches of random prompts with fresh noise: `PromptBatches(prompts, student, batch_size)(step)`."""

    prompts: Sequence[str]
    student: Student
    batch_size: int

    def __call__(self, step: StepContext) -> PromptBatch:
        """A random batch."""
        drawn = step.mine(step.rng.integers(len(self.prompts), size=self.batch_size * step.shards))
        noise = step.normal(noise_shape(self.student, len(drawn)))
        return PromptBatch([self.prompts[int(index)] for index in drawn], noise)


def noise_shape(student: Student, count: int) -> tuple[int, int, int, int]:
    """Of `count` latents."""
    config = student.unet.config
    return count, config["in_channels"], config["sample_size"], config["sample_size"]


def fixed_noise(student: Student, count: int, seed: int) -> Tensor:
    """The same noise for the same seed, on the CPU."""
    shape = noise_shape(student, count)
    return torch.from_numpy(np.random.default_rng((7, seed)).standard_normal(shape, dtype=np.float32))


def rollout_to_step(
    student: Student, recipe: Recipe, noise: Tensor, cond: Conditioning, step_index: int, *, generator: torch.Generator
) -> Rollout:
    """Run a recipe without gradient up to a call, and take that call's clean latents, with a gradient.

    ReFL (Xu et al. 2023) looks at the clean picture that a random late step predicts; a student of few steps predicts
    one at every step of its own schedule, the last of which is what it draws.

    Args:
        student: the tuned one is the student, the untuned one the student with its adapter off.
        recipe: the scheduler, the timesteps, eta; guidance is not applied.
        noise: unit noise `(B, C, H, W)`.
        cond: what the UNet is told of the prompts.
        step_index: from 0 to the number of the recipe's steps, exclusive.
        generator: of the noise that some schedulers add.

    Raises:
        ValueError: the recipe has no such call.
    """
    scheduler = _scheduler(student, recipe)
    if not 0 <= step_index < len(scheduler.timesteps):
        raise ValueError(f"a recipe of {recipe.steps} steps has no call {step_index}")

    predict = student.predictor(cond)
    arguments = step_arguments(scheduler, recipe, generator)
    with torch.no_grad(), fused_adapter(student.unet):
        latents = denoised(
            scheduler, noise * scheduler.init_noise_sigma, predict, arguments=arguments, count=step_index
        )
    timestep = scheduler.timesteps[step_index]
    scaled = scheduler.scale_model_input(latents, timestep)
    with torch.no_grad(), disable_adapter(student.unet):
        untuned = _clean(scheduler, predict(scaled, timestep), timestep, latents)
    return Rollout(_clean(scheduler, predict(scaled, timestep), timestep, latents), untuned)


def denoise_noised_images(
    student: Student, pictures: Tensor, captions: Sequence[str], recipes: Sequence[Recipe], step: StepContext
) -> Tensor:
    """Denoise noised pictures `(B, 3, H, W)` in [-1, 1] by the student, with a gradient through one step.

    They are noised to one of `visible_times`, each as likely as another.

    Raises:
        ValueError: the recipes have no such time.
    """
    times = visible_times(student, recipes)
    if not times:
        raise ValueError("all times of the recipes are so noisy that nothing can be seen in a picture")
    now = torch.full((len(pictures),), times[int(step.rng.integers(len(times)))], device=step.device)
    clean = student.latents(pictures)
    noise = step.normal(clean.shape)
    schedule = student.schedule.to(step.device)
    noisy = schedule.add_noise(clean, noise, now)
    cond = student.text.conditioning(captions)
    return student.picture(schedule.predict_x0(noisy, student.predict(noisy, now, cond), now)).clamp(-1, 1)


def times_of(student: Student, recipe: Recipe) -> list[int]:
    """The times at which a recipe asks the student, from noise to picture."""
    return [int(time) for time in _scheduler(student, recipe).timesteps]


def visible_times(student: Student, recipes: Sequence[Recipe]) -> list[int]:
    """The times at which any recipe asks the student and a noised picture can still be seen, ascending.

    That is where ᾱ is at least 0.1. Below it the noise is more than three times as strong as the picture
    (σ/α = √(1/ᾱ − 1) > 3), and so is an error of the predicted noise in x̂_0: where the objects were is a guess, and a
    loss on them would teach the student to guess.
    """
    asked = {time for recipe in recipes for time in times_of(student, recipe)}
    return sorted(time for time in asked if student.schedule.alphas_cumprod[time] >= _VISIBLE)


def _scheduler(student: Student, recipe: Recipe) -> Any:
    scheduler = build_scheduler(student.pipeline.scheduler, recipe.scheduler)
    set_timesteps(scheduler, recipe)
    return scheduler


def _clean(scheduler: Any, predicted: Tensor, timestep: Tensor, latents: Tensor) -> Tensor:
    """The clean latents that a predicted noise amounts to; some schedulers count their steps, so a copy is asked."""
    output = copy.deepcopy(scheduler).step(predicted, timestep, latents)
    return clean_latents(scheduler, output, predicted, timestep, latents)
