"""Error of a model's one-step prediction of the clean picture, over time (Hyper-SD, figure 3).

The paper motivates its score distillation with this figure: a consistency model predicts clean pictures with less error
than the score model. Here the guided base draws prompts in many steps, and each model predicts the end of the path from
every latent on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hypersd.distill.student import Student
from hypersd.sampling.denoising import denoising_steps
from hypersd.training.schedule import DDIMSolver


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreErrors:
    """Errors of three models at the times of one path.

    Args:
        times: `(K,)`, falling.
        errors: by model, root mean squared error of x̂_0 against the path's end, in latents, of each picture `(K, N)`.
    """

    times: tuple[int, ...]
    errors: Mapping[str, Tensor]


@torch.no_grad()
def score_errors(
    base: Student, few_steps: Student, prompts: Sequence[str], *, steps: int = 25, guidance: float = 3.0, seed: int = 0
) -> ScoreErrors:
    """Measure on the guided base's own path: its guided score, its unguided score, and a model of few steps.

    Args:
        base: the base model, its adapter untrained.
        few_steps: the same, with a few-step adapter in its base.
        prompts: N of them, a picture each.
        steps: of the path.
        guidance: of the base, along the path and as the guided score.
        seed: of the noise.
    """
    schedule, device = base.schedule.to(base.device), base.device
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((len(prompts), *base.latent_shape), generator=generator).to(device)
    conditioning = base.text.conditioning(prompts)
    scale = torch.full((len(prompts),), guidance, device=device)

    def guided(latents: Tensor, timestep: Tensor) -> Tensor:
        return base.guided(latents, timestep.to(device).expand(len(latents)), prompts, scale)

    path = list(denoising_steps(DDIMSolver(schedule, schedule.trailing(steps)), noise, guided))
    end = path[-1].latents
    errors: dict[str, list[Tensor]] = {"guided base": [], "unguided base": [], "consistency model": []}
    for step in path:
        times = step.timestep.to(device).expand(len(prompts))
        looks = {
            "guided base": step.predicted,
            "unguided base": base.predict(step.noisy, times, conditioning),
            "consistency model": few_steps.predict(step.noisy, times, conditioning),
        }
        for name, predicted in looks.items():
            clean = schedule.predict_x0(step.noisy, predicted, times)
            errors[name].append((clean - end).square().mean(dim=(1, 2, 3)).sqrt().cpu())
    return ScoreErrors(
        times=tuple(int(step.timestep) for step in path),
        errors={name: torch.stack(values) for name, values in errors.items()},
    )
