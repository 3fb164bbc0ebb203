"""The published models as their own cards run them: plain diffusers, on the files of the Hub's cache.

Nothing here reads this package's cards: repository and file names, schedulers and numbers are written down again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    TCDScheduler,
    UNet2DConditionModel,
)
from huggingface_hub import hf_hub_download
from safetensors.torch import load_file

from hypersd.models.perflow import PeRFlowScheduler

HYPER = "ByteDance/Hyper-SD"
LIGHTNING = "ByteDance/SDXL-Lightning"
PLAIN_LORA = "pytorch_lora_weights.safetensors"
TRAILING = {"timestep_spacing": "trailing"}
FLOW = {"num_time_windows": 4}

Load = Callable[[Any, str], None]


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """Snippet of a model's card.

    Args:
        load: puts the weights, `REPOSITORY/FILE`, on a pipeline.
        weights: the file, by the number of steps.
        scheduler: class, and what differs from the base's configuration.
        guidance: by the number of steps, 0 where it is not named.
        call: what else the pipeline is called with.
    """

    base: Callable[[], Any]
    steps: tuple[int, ...]
    load: Load
    weights: Callable[[int], str]
    scheduler: type[Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    guidance: Mapping[int, float] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)

    def pipeline(self, steps: int) -> Any:
        """The pipeline, ready to be called."""
        pipeline = self.base()
        self.load(pipeline, self.weights(steps))
        pipeline.scheduler = self.scheduler.from_config(pipeline.scheduler.config, **self.arguments)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def sdxl() -> Any:
    """SDXL, with the VAE that bears half precision."""
    vae = AutoencoderKL.from_pretrained("madebyollin/sdxl-vae-fp16-fix", dtype=torch.float32)
    name = "stabilityai/stable-diffusion-xl-base-1.0"
    return StableDiffusionXLPipeline.from_pretrained(
        name, vae=vae, variant="fp16", dtype=torch.float32, add_watermarker=False
    )


def sd15() -> Any:
    """Stable Diffusion 1.5."""
    return _stable_diffusion("stable-diffusion-v1-5/stable-diffusion-v1-5")


def sd_turbo() -> Any:
    """SD-Turbo."""
    return _stable_diffusion("stabilityai/sd-turbo")


def _stable_diffusion(name: str) -> Any:
    return StableDiffusionPipeline.from_pretrained(
        name, variant="fp16", dtype=torch.float32, safety_checker=None, requires_safety_checker=False
    )


def _file(name: str) -> str:
    owner, repository, file = name.split("/", 2)
    return hf_hub_download(f"{owner}/{repository}", file)


def nothing(_pipeline: Any, _name: str) -> None:
    """The base's own weights."""


def lora(pipeline: Any, name: str) -> None:
    """A LoRA, fused."""
    pipeline.load_lora_weights(_file(name))
    pipeline.fuse_lora()


def unet(pipeline: Any, name: str) -> None:
    """A UNet's state in one file."""
    pipeline.unet.load_state_dict(load_file(_file(name)))


def difference(pipeline: Any, name: str) -> None:
    """PeRFlow's differences to the base's UNet."""
    state = pipeline.unet.state_dict()
    pipeline.unet.load_state_dict({key: state[key] + value for key, value in load_file(_file(name)).items()})


def repository(pipeline: Any, name: str) -> None:
    """The UNet of another repository."""
    pipeline.unet = UNet2DConditionModel.from_pretrained(name, subfolder="unet", variant="fp16", dtype=torch.float32)


def _hyper(base: Callable[[], Any], arch: str) -> dict[str, list[Snippet]]:
    def of(steps: tuple[int, ...], name: str, scheduler: type[Any], **more: Any) -> Snippet:
        return Snippet(
            base=base,
            steps=steps,
            load=lora,
            weights=lambda count: f"{HYPER}/Hyper-{arch}-{name.format(count)}.safetensors",
            scheduler=scheduler,
            **more,
        )

    ddim = {"arguments": TRAILING}
    return {
        "hyper": [of((2, 4, 8), "{}steps-lora", DDIMScheduler, **ddim)],
        "hyper-unified": [of(tuple(range(1, 9)), "1step-lora", TCDScheduler, call={"eta": 1.0})],
        "hyper-cfg": [of((8, 12), "{}steps-CFG-lora", DDIMScheduler, guidance={8: 5.0, 12: 5.0}, **ddim)],
    }


def _consistency(base: Callable[[], Any], lcm: str, tcd: str) -> dict[str, list[Snippet]]:
    same: dict[str, Any] = {"base": base, "steps": (1, 2, 4, 8), "load": lora}
    return {
        "lcm": [Snippet(weights=lambda _: f"{lcm}/{PLAIN_LORA}", scheduler=LCMScheduler, **same)],
        "tcd": [Snippet(weights=lambda _: f"{tcd}/{PLAIN_LORA}", scheduler=TCDScheduler, call={"eta": 0.3}, **same)],
    }


def _own(base: Callable[[], Any], scheduler: type[Any]) -> list[Snippet]:
    steps: tuple[int, ...] = (25,)
    return [
        Snippet(base=base, steps=steps, load=nothing, weights=lambda _: "", scheduler=scheduler, guidance={25: 7.5})
    ]


_XL_HYPER, _XL_LCM = _hyper(sdxl, "SDXL"), "latent-consistency/lcm-lora-sdxl"

SNIPPETS: dict[tuple[str, str], list[Snippet]] = {
    **{("sdxl", name): snippets for name, snippets in _XL_HYPER.items()},
    **{("sdxl", name): snippets for name, snippets in _consistency(sdxl, _XL_LCM, "h1t/TCD-SDXL-LoRA").items()},
    ("sdxl", "base"): _own(sdxl, EulerDiscreteScheduler),
    ("sdxl", "hyper"): [
        Snippet(
            base=sdxl,
            steps=(1,),
            load=unet,
            weights=lambda _: f"{HYPER}/Hyper-SDXL-1step-Unet.safetensors",
            scheduler=LCMScheduler,
            call={"timesteps": [800]},
        ),
        *_XL_HYPER["hyper"],
    ],
    ("sdxl", "lightning"): [
        Snippet(
            base=sdxl,
            steps=(1,),
            load=unet,
            weights=lambda _: f"{LIGHTNING}/sdxl_lightning_1step_unet_x0.safetensors",
            scheduler=EulerDiscreteScheduler,
            arguments={**TRAILING, "prediction_type": "sample"},
        ),
        Snippet(
            base=sdxl,
            steps=(2, 4, 8),
            load=lora,
            weights=lambda count: f"{LIGHTNING}/sdxl_lightning_{count}step_lora.safetensors",
            scheduler=EulerDiscreteScheduler,
            arguments=TRAILING,
        ),
    ],
    ("sdxl", "turbo"): [
        Snippet(
            base=sdxl,
            steps=(1, 2, 3, 4),
            load=repository,
            weights=lambda _: "stabilityai/sdxl-turbo",
            scheduler=EulerAncestralDiscreteScheduler,
            arguments=TRAILING,
        )
    ],
    ("sdxl", "pcm"): [
        Snippet(
            base=sdxl,
            steps=(4,),
            load=lora,
            weights=lambda _: "wangfuyun/PCM_Weights/sdxl/pcm_sdxl_smallcfg_4step_converted.safetensors",
            scheduler=TCDScheduler,
            call={"eta": 0.0},
        )
    ],
    ("sdxl", "dmd2"): [
        Snippet(
            base=sdxl,
            steps=(4,),
            load=lora,
            weights=lambda _: "tianweiy/DMD2/dmd2_sdxl_4step_lora_fp16.safetensors",
            scheduler=LCMScheduler,
            call={"timesteps": [999, 749, 499, 249]},
        )
    ],
    ("sdxl", "perflow"): [
        Snippet(
            base=sdxl,
            steps=(4, 6, 8),
            load=unet,
            weights=lambda _: "hansyan/perflow-sdxl-base/unet/diffusion_pytorch_model.v0-fix.safetensors",
            scheduler=PeRFlowScheduler,
            arguments={**FLOW, "prediction_type": "ddim_eps"},
            guidance={4: 2.0, 6: 2.0, 8: 2.0},
        )
    ],
    **{("sd15", name): snippets for name, snippets in _hyper(sd15, "SD15").items()},
    **{
        ("sd15", name): snippets
        for name, snippets in _consistency(sd15, "latent-consistency/lcm-lora-sdv1-5", "h1t/TCD-SD15-LoRA").items()
    },
    ("sd15", "base"): _own(sd15, PNDMScheduler),
    ("sd15", "perflow"): [
        Snippet(
            base=sd15,
            steps=(4, 6, 8),
            load=difference,
            weights=lambda _: "hansyan/perflow-sd15-delta-weights/diffusion_pytorch_model.v0-1.safetensors",
            scheduler=PeRFlowScheduler,
            arguments={**FLOW, "prediction_type": "diff_eps"},
            guidance={4: 4.5, 6: 6.0, 8: 7.5},
        )
    ],
    ("sd21", "turbo"): [
        Snippet(
            base=sd_turbo,
            steps=(1, 2, 3, 4),
            load=nothing,
            weights=lambda _: "",
            scheduler=EulerAncestralDiscreteScheduler,
            arguments=TRAILING,
        )
    ],
}
"""By family and model."""
