"""Recipes that the published SDXL and SD1.5 families have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hypersd.models.specs import Recipe, Scheduler
from hypersd.models.weights import Weights

DDIM_TRAILING = Scheduler(name="DDIMScheduler", arguments={"timestep_spacing": "trailing", "clip_sample": False})
EULER_TRAILING = Scheduler(name="EulerDiscreteScheduler", arguments={"timestep_spacing": "trailing"})
LCM = Scheduler(name="LCMScheduler")
TCD = Scheduler(name="TCDScheduler")
ANCESTRAL_TRAILING = Scheduler(name="EulerAncestralDiscreteScheduler", arguments={"timestep_spacing": "trailing"})

ANY_GUIDANCE = (1.0, 20.0)
"""Guidance range of undistilled models: stronger guidance oversaturates the picture."""

LCM_GUIDANCE = (1.0, 2.0)
"""Guidance range of LCM's adapters, in addition to their distilled guidance."""

HYPER_LICENCE = "openrail++ at first; read its LICENSE.md"
"""The repository's licence tag was removed in August 2024, when other terms came before those in its text."""

HYPER = "ByteDance/Hyper-SD"
PROMPT_SET = "photographs-and-art-v1"


def lora(repository: str, file: str = "pytorch_lora_weights.safetensors") -> Weights:
    """A LoRA file on the Hub."""
    return Weights(kind="lora", repository=repository, file=file)


def controlnet(repository: str) -> Weights:
    """A ControlNet's repository on the Hub, in half precision."""
    return Weights(kind="controlnet", repository=repository, file="diffusion_pytorch_model.fp16.safetensors")


def at(
    steps: Iterable[int],
    weights: Weights,
    scheduler: Scheduler,
    *,
    guidance_scale: float = 0.0,
    guidance_range: tuple[float, float] | None = None,
    eta: float | None = None,
) -> tuple[Recipe, ...]:
    """The same recipe of one file for several numbers of steps."""
    return tuple(
        Recipe(
            steps=count,
            weights=weights,
            scheduler=scheduler,
            guidance_scale=guidance_scale,
            guidance_range=guidance_range,
            eta=eta,
        )
        for count in steps
    )


def hyper_n_step(arch: str, steps: Iterable[int]) -> tuple[Recipe, ...]:
    """Hyper-SD's LoRAs for a fixed number of steps: "2steps", "4steps", "8steps" in the file names."""
    return tuple(
        Recipe(steps=count, weights=lora(HYPER, f"Hyper-{arch}-{count}steps-lora.safetensors"), scheduler=DDIM_TRAILING)
        for count in steps
    )


def hyper_cfg(arch: str) -> tuple[Recipe, ...]:
    """Hyper-SD's CFG-preserved LoRAs: 8 or 12 steps with guidance of 5 to 8, where negative prompts work.

    The card gives no snippet; they are run by the scheduler of the others for a fixed number of steps.
    """
    return tuple(
        Recipe(
            steps=count,
            weights=lora(HYPER, f"Hyper-{arch}-{count}steps-CFG-lora.safetensors"),
            scheduler=DDIM_TRAILING,
            guidance_scale=5.0,
            guidance_range=(5.0, 8.0),
        )
        for count in (8, 12)
    )


def unified(weights: Weights, etas: Mapping[int, float], *, one_step_at: int | None = None) -> tuple[Recipe, ...]:
    """One adapter for several numbers of steps, with TCD: each step adds new noise.

    Args:
        weights: for all of them.
        etas: TCD's γ by the number of steps; numbers between follow the nearest (`ModelSpec.max_steps`).
        one_step_at: the timestep that a single step starts from, if not the last one.
    """
    return tuple(
        Recipe(steps=1, weights=weights, scheduler=LCM, timesteps=(one_step_at,))
        if steps == 1 and one_step_at is not None
        else Recipe(steps=steps, weights=weights, scheduler=TCD, eta=eta)
        for steps, eta in sorted(etas.items())
    )


def hyper_unified(arch: str) -> tuple[Recipe, ...]:
    """Hyper-SD's unified LoRA ("1step" in the file name): 1 to 8 steps with TCD, eta 1."""
    return unified(lora(HYPER, f"Hyper-{arch}-1step-lora.safetensors"), dict.fromkeys((1, 2, 4, 8), 1.0))


UNIFIED_STEPS = 8
"""The most steps that Hyper-SD's unified LoRA is published for; it takes every number up to it."""
