"""The published SD1.5 family, each model at its published recipe."""

from __future__ import annotations

from hypersd.models.families.published import HYPER_LICENCE, LCM, PROMPT_SET, TCD, at, hyper_n_step, hyper_unified, lora
from hypersd.models.specs import Family, ModelSpec, Scheduler, Weights

_PIXELS = 512

SD15 = Family(
    name="sd15",
    title="Stable Diffusion 1.5",
    # It moved here when runwayml/stable-diffusion-v1-5 was taken down.
    repository="stable-diffusion-v1-5/stable-diffusion-v1-5",
    variant="fp16",
    pixels=_PIXELS,
    memory_gb=4,
    prompt_set=PROMPT_SET,
    specs=(
        ModelSpec(
            name="base",
            title="SD15-Base",
            recipes=at((25,), Weights(), Scheduler(name="PNDMScheduler", extra_steps=1), guidance_scale=7.5),
            default_steps=25,
            any_steps=True,
            pixels=_PIXELS,
            licence="creativeml-openrail-m",
            source="https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5",
        ),
        ModelSpec(
            name="hyper",
            title="Hyper-SD15",
            recipes=hyper_n_step("SD15", (2, 4, 8)),
            default_steps=4,
            pixels=_PIXELS,
            licence=HYPER_LICENCE,
            source="https://huggingface.co/ByteDance/Hyper-SD",
        ),
        ModelSpec(
            name="hyper-unified",
            title="Hyper-SD15, unified LoRA",
            recipes=hyper_unified("SD15"),
            default_steps=1,
            pixels=_PIXELS,
            licence=HYPER_LICENCE,
            source="https://huggingface.co/ByteDance/Hyper-SD",
        ),
        ModelSpec(
            name="lcm",
            title="LCM-LoRA",
            recipes=at((2, 4, 8), lora("latent-consistency/lcm-lora-sdv1-5"), LCM),
            default_steps=4,
            pixels=_PIXELS,
            licence="openrail++",
            source="https://huggingface.co/latent-consistency/lcm-lora-sdv1-5",
        ),
        ModelSpec(
            name="tcd",
            title="TCD-LoRA",
            recipes=at((2, 4, 8), lora("h1t/TCD-SD15-LoRA"), TCD, eta=0.3),
            default_steps=4,
            pixels=_PIXELS,
            licence="mit",
            source="https://huggingface.co/h1t/TCD-SD15-LoRA",
        ),
    ),
)
