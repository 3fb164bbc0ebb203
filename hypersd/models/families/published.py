"""Recipes that the published SDXL and SD1.5 families have in common."""

from __future__ import annotations

from collections.abc import Iterable

from hypersd.models.specs import Recipe, Scheduler, Weights

DDIM_TRAILING = Scheduler(name="DDIMScheduler", arguments={"timestep_spacing": "trailing", "clip_sample": False})
EULER_TRAILING = Scheduler(name="EulerDiscreteScheduler", arguments={"timestep_spacing": "trailing"})
LCM = Scheduler(name="LCMScheduler")
TCD = Scheduler(name="TCDScheduler")

HYPER_LICENCE = "openrail++ at first; read its LICENSE.md"
"""The repository's licence tag was removed in August 2024, when other terms came before those in its text."""

HYPER = "ByteDance/Hyper-SD"
PROMPT_SET = "photographs-and-art-v1"


def lora(repository: str, file: str = "pytorch_lora_weights.safetensors") -> Weights:
    """A LoRA file on the Hub."""
    return Weights(kind="lora", repository=repository, file=file)


def at(
    steps: Iterable[int],
    weights: Weights,
    scheduler: Scheduler,
    *,
    guidance_scale: float = 0.0,
    eta: float | None = None,
) -> tuple[Recipe, ...]:
    """One file, run in the same way at several numbers of steps."""
    return tuple(
        Recipe(steps=count, weights=weights, scheduler=scheduler, guidance_scale=guidance_scale, eta=eta)
        for count in steps
    )


def hyper_n_step(arch: str, steps: Iterable[int]) -> tuple[Recipe, ...]:
    """Hyper-SD's LoRAs for a fixed number of steps: "2steps", "4steps", "8steps" in the file names."""
    return tuple(
        Recipe(steps=count, weights=lora(HYPER, f"Hyper-{arch}-{count}steps-lora.safetensors"), scheduler=DDIM_TRAILING)
        for count in steps
    )


def hyper_unified(arch: str) -> tuple[Recipe, ...]:
    """Hyper-SD's unified LoRA ("1step" in the file name): 1 to 8 steps with TCD, eta 1."""
    return at((1, 2, 4, 8), lora(HYPER, f"Hyper-{arch}-1step-lora.safetensors"), TCD, eta=1.0)
