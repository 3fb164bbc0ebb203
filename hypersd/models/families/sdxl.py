"""The published SDXL family, each model at its published recipe."""

from __future__ import annotations

from hypersd.models.control_specs import ControlMode
from hypersd.models.families.published import (
    ANCESTRAL_TRAILING,
    ANY_GUIDANCE,
    EULER_TRAILING,
    HYPER,
    HYPER_LICENCE,
    LCM,
    LCM_GUIDANCE,
    PROMPT_SET,
    TCD,
    UNIFIED_STEPS,
    at,
    controlnet,
    hyper_cfg,
    hyper_n_step,
    hyper_unified,
    lora,
)
from hypersd.models.family_parts import ControlNetSpec, TinyDecoder
from hypersd.models.specs import MAX_STEPS, Family, ModelSpec, Recipe, Scheduler
from hypersd.models.weights import Weights

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
_DMD2 = Recipe(
    steps=4,
    weights=lora("tianweiy/DMD2", "dmd2_sdxl_4step_lora_fp16.safetensors"),
    # The times that it was trained at; LCM's own are others.
    scheduler=LCM,
    timesteps=(999, 749, 499, 249),
)
_PCM = at(
    (4,),
    lora("wangfuyun/PCM_Weights", "sdxl/pcm_sdxl_smallcfg_4step_converted.safetensors"),
    TCD,
    eta=0.0,
)
_PERFLOW = at(
    (4, 6, 8),
    # A whole pipeline, of which only the UNet differs from SDXL's.
    Weights(
        kind="unet",
        repository="hansyan/perflow-sdxl-base",
        file="unet/diffusion_pytorch_model.v0-fix.safetensors",
    ),
    Scheduler(name="PeRFlowScheduler", arguments={"prediction_type": "ddim_eps", "num_time_windows": 4}),
    guidance_scale=2.0,
    guidance_range=(1.5, 2.5),
)

SDXL = Family(
    name="sdxl",
    title="SDXL",
    repository="stabilityai/stable-diffusion-xl-base-1.0",
    variant="fp16",
    # The original VAE overflows in half precision.
    text_encoders=2,
    vae="madebyollin/sdxl-vae-fp16-fix",
    pixels=_PIXELS,
    memory_gb=11,
    unet_gb=5,
    unet_tflop=6.76,
    decode_tflop=10.5,
    tiny_decoder=TinyDecoder(repository="madebyollin/taesdxl", decode_tflop=0.57),
    prompt_set=PROMPT_SET,
    controlnets=(
        ControlNetSpec(
            modes=(ControlMode.CANNY,),
            weights=controlnet("diffusers/controlnet-canny-sdxl-1.0"),
            scale=0.5,
            memory_gb=2.5,
            licence="openrail++",
            source="https://huggingface.co/ByteDance/Hyper-SD",
        ),
    ),
    specs=(
        ModelSpec(
            name="base",
            title="SDXL-Base",
            recipes=at(
                (25,),
                Weights(),
                Scheduler(name="EulerDiscreteScheduler"),
                guidance_scale=7.5,
                guidance_range=ANY_GUIDANCE,
            ),
            default_steps=25,
            max_steps=MAX_STEPS,
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
            max_steps=UNIFIED_STEPS,
            pixels=_PIXELS,
            licence=HYPER_LICENCE,
            source="https://huggingface.co/ByteDance/Hyper-SD",
            variant=True,
        ),
        ModelSpec(
            name="hyper-cfg",
            title="Hyper-SDXL, CFG-preserved",
            recipes=hyper_cfg("SDXL"),
            default_steps=8,
            pixels=_PIXELS,
            licence=HYPER_LICENCE,
            source="https://huggingface.co/ByteDance/Hyper-SD",
            note="Takes guidance of 5 to 8 and negative prompts; two calls a step.",
            variant=True,
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
                ANCESTRAL_TRAILING,
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
            recipes=at((1, 2, 4, 8), lora("latent-consistency/lcm-lora-sdxl"), LCM, guidance_range=LCM_GUIDANCE),
            default_steps=4,
            pixels=_PIXELS,
            licence="openrail++",
            source="https://huggingface.co/latent-consistency/lcm-lora-sdxl",
        ),
        ModelSpec(
            name="tcd",
            title="TCD-LoRA",
            recipes=at((1, 2, 4, 8), lora("h1t/TCD-SDXL-LoRA"), TCD, eta=0.3),
            default_steps=4,
            pixels=_PIXELS,
            licence="mit",
            source="https://huggingface.co/h1t/TCD-SDXL-LoRA",
        ),
        ModelSpec(
            name="pcm",
            title="PCM-LoRA",
            recipes=_PCM,
            default_steps=4,
            pixels=_PIXELS,
            licence="unknown; read its repository's",
            source="https://huggingface.co/spaces/radames/Phased-Consistency-Model-PCM",
        ),
        ModelSpec(
            name="dmd2",
            title="DMD2-LoRA",
            recipes=(_DMD2,),
            default_steps=4,
            pixels=_PIXELS,
            licence="cc-by-nc-sa-4.0",
            source="https://github.com/tianweiy/DMD2",
        ),
        ModelSpec(
            name="perflow",
            title="PeRFlow",
            recipes=_PERFLOW,
            default_steps=6,
            pixels=_PIXELS,
            licence="unknown; read its repository's",
            source="https://github.com/magic-research/piecewise-rectified-flow",
        ),
    ),
)
