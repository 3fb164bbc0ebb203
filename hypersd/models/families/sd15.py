"""The published SD1.5 family, each model at its published recipe."""

from __future__ import annotations

from hypersd.models.control_specs import ControlMode
from hypersd.models.families.published import (
    ANY_GUIDANCE,
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

_PIXELS = 512

_PERFLOW = tuple(
    Recipe(
        steps=steps,
        weights=Weights(
            kind="delta",
            repository="hansyan/perflow-sd15-delta-weights",
            file="diffusion_pytorch_model.v0-1.safetensors",
        ),
        scheduler=Scheduler(name="PeRFlowScheduler", arguments={"prediction_type": "diff_eps", "num_time_windows": 4}),
        guidance_scale=guidance,
        guidance_range=ANY_GUIDANCE,
    )
    for steps, guidance in ((4, 4.5), (6, 6.0), (8, 7.5))
)

SD15 = Family(
    name="sd15",
    title="Stable Diffusion 1.5",
    # It moved here when runwayml/stable-diffusion-v1-5 was taken down.
    repository="stable-diffusion-v1-5/stable-diffusion-v1-5",
    variant="fp16",
    pixels=_PIXELS,
    memory_gb=4,
    unet_gb=2,
    unet_tflop=0.80,
    decode_tflop=2.51,
    tiny_decoder=TinyDecoder(repository="madebyollin/taesd", decode_tflop=0.14),
    prompt_set=PROMPT_SET,
    controlnets=tuple(
        ControlNetSpec(
            modes=(mode,),
            weights=controlnet(f"lllyasviel/control_v11p_sd15_{mode.value}"),
            scale=1.0,
            memory_gb=0.7,
            licence="openrail",
            source="https://huggingface.co/ByteDance/Hyper-SD",
        )
        for mode in (ControlMode.CANNY, ControlMode.SCRIBBLE)
    ),
    specs=(
        ModelSpec(
            name="base",
            title="SD15-Base",
            recipes=at(
                (25,),
                Weights(),
                Scheduler(name="PNDMScheduler", extra_steps=1),
                guidance_scale=7.5,
                guidance_range=ANY_GUIDANCE,
            ),
            default_steps=25,
            max_steps=MAX_STEPS,
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
            max_steps=UNIFIED_STEPS,
            pixels=_PIXELS,
            licence=HYPER_LICENCE,
            source="https://huggingface.co/ByteDance/Hyper-SD",
            variant=True,
        ),
        ModelSpec(
            name="hyper-cfg",
            title="Hyper-SD15, CFG-preserved",
            recipes=hyper_cfg("SD15"),
            default_steps=8,
            pixels=_PIXELS,
            licence=HYPER_LICENCE,
            source="https://huggingface.co/ByteDance/Hyper-SD",
            note="Takes guidance of 5 to 8 and negative prompts; two calls a step.",
            variant=True,
        ),
        ModelSpec(
            name="lcm",
            title="LCM-LoRA",
            recipes=at((1, 2, 4, 8), lora("latent-consistency/lcm-lora-sdv1-5"), LCM, guidance_range=LCM_GUIDANCE),
            default_steps=4,
            pixels=_PIXELS,
            licence="openrail++",
            source="https://huggingface.co/latent-consistency/lcm-lora-sdv1-5",
        ),
        ModelSpec(
            name="tcd",
            title="TCD-LoRA",
            recipes=at((1, 2, 4, 8), lora("h1t/TCD-SD15-LoRA"), TCD, eta=0.3),
            default_steps=4,
            pixels=_PIXELS,
            licence="mit",
            source="https://huggingface.co/h1t/TCD-SD15-LoRA",
        ),
        ModelSpec(
            name="perflow",
            title="PeRFlow",
            recipes=_PERFLOW,
            default_steps=4,
            pixels=_PIXELS,
            licence="unknown; read its repository's",
            source="https://github.com/magic-research/piecewise-rectified-flow",
            note="At 4 steps with the guidance of 4.5 that its authors give; Hyper-SD's paper ran it at 7.5.",
        ),
    ),
)
