"""The published SDXL family, each model at its published recipe."""

from __future__ import annotations

from hypersd.models.families.published import (
    EULER_TRAILING,
    HYPER,
    HYPER_LICENCE,
    LCM,
    PROMPT_SET,
    TCD,
    at,
    hyper_n_step,
    hyper_unified,
    lora,
)
from hypersd.models.specs import Family, ModelSpec, Recipe, Scheduler, Weights

_PIXELS = 1024
_LIGHTNING = "ByteDance/SDXL-Lightning"
_TURBO = "stabilityai/sdxl-turbo"

_HYPER_ONE_STEP = Recipe(
    steps=1,
    # The card's text writes "unet"; the file has a capital U.
    weights=Weights(kind="unet", repository=HYPER, file="Hyper-SDXL-1step-Unet.safetensors"),
    # Not DDIM, which takes no timesteps of one's own.
    scheduler=LCM,
    timesteps=(800,),
)
_LIGHTNING_ONE_STEP = Recipe(
    steps=1,
    weights=Weights(kind="unet", repository=_LIGHTNING, file="sdxl_lightning_1step_unet_x0.safetensors"),
    # This one predicts the picture, not the noise.
    scheduler=Scheduler(
        name="EulerDiscreteScheduler", arguments={"timestep_spacing": "trailing", "prediction_type": "sample"}
    ),
)

SDXL = Family(
    name="sdxl",
    title="SDXL",
    repository="stabilityai/stable-diffusion-xl-base-1.0",
    variant="fp16",
    # The original VAE overflows in half precision.
    vae="madebyollin/sdxl-vae-fp16-fix",
    pixels=_PIXELS,
    memory_gb=11,
    unet_gb=5,
    prompt_set=PROMPT_SET,
    specs=(
        ModelSpec(
            name="base",
            title="SDXL-Base",
            recipes=at((25,), Weights(), Scheduler(name="EulerDiscreteScheduler"), guidance_scale=7.5),
            default_steps=25,
            any_steps=True,
            pixels=_PIXELS,
            licence="openrail++",
            source="https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0",
        ),
        ModelSpec(
            name="hyper",
            title="Hyper-SDXL",
            recipes=(_HYPER_ONE_STEP, *hyper_n_step("SDXL", (2, 4, 8))),
            default_steps=4,
            pixels=_PIXELS,
            licence=HYPER_LICENCE,
            source="https://huggingface.co/ByteDance/Hyper-SD",
            note="One step runs the dedicated UNet (a download of 10 GB) at t = 800.",
        ),
        ModelSpec(
            name="hyper-unified",
            title="Hyper-SDXL, unified LoRA",
            recipes=hyper_unified("SDXL"),
            default_steps=1,
            pixels=_PIXELS,
            licence=HYPER_LICENCE,
            source="https://huggingface.co/ByteDance/Hyper-SD",
        ),
        ModelSpec(
            name="lightning",
            title="SDXL-Lightning",
            recipes=(
                _LIGHTNING_ONE_STEP,
                *(
                    recipe
                    for count in (2, 4, 8)
                    for recipe in at(
                        (count,), lora(_LIGHTNING, f"sdxl_lightning_{count}step_lora.safetensors"), EULER_TRAILING
                    )
                ),
            ),
            default_steps=4,
            pixels=_PIXELS,
            licence="openrail++",
            source="https://huggingface.co/ByteDance/SDXL-Lightning",
        ),
        ModelSpec(
            name="turbo",
            title="SDXL-Turbo",
            recipes=at(
                (1, 2, 3, 4),
                Weights(kind="pipeline", repository=_TURBO),
                Scheduler(name="EulerAncestralDiscreteScheduler", arguments={"timestep_spacing": "trailing"}),
            ),
            default_steps=1,
            pixels=512,
            licence="sai-nc-community",
            source="https://huggingface.co/stabilityai/sdxl-turbo",
            note="Made for 512 px.",
        ),
        ModelSpec(
            name="lcm",
            title="LCM-LoRA",
            recipes=at((2, 4, 8), lora("latent-consistency/lcm-lora-sdxl"), LCM),
            default_steps=4,
            pixels=_PIXELS,
            licence="openrail++",
            source="https://huggingface.co/latent-consistency/lcm-lora-sdxl",
        ),
        ModelSpec(
            name="tcd",
            title="TCD-LoRA",
            recipes=at((2, 4, 8), lora("h1t/TCD-SDXL-LoRA"), TCD, eta=0.3),
            default_steps=4,
            pixels=_PIXELS,
            licence="mit",
            source="https://huggingface.co/h1t/TCD-SDXL-LoRA",
        ),
    ),
)
