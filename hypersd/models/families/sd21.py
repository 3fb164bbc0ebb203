"""SD-Turbo, which is Stable Diffusion 2.1 distilled: the only published model of that base in the paper's Figure 5."""

from __future__ import annotations

from hypersd.models.families.published import ANCESTRAL_TRAILING, PROMPT_SET, at
from hypersd.models.family_parts import TinyDecoder
from hypersd.models.specs import Family, ModelSpec
from hypersd.models.weights import Weights

_PIXELS = 512

SD21 = Family(
    name="sd21",
    title="Stable Diffusion 2.1",
    repository="stabilityai/sd-turbo",
    variant="fp16",
    pixels=_PIXELS,
    memory_gb=4,
    tiny_decoder=TinyDecoder(repository="madebyollin/taesd", decode_tflop=0.14),
    prompt_set=PROMPT_SET,
    specs=(
        ModelSpec(
            name="turbo",
            title="SD-Turbo",
            recipes=at((1, 2, 3, 4), Weights(), ANCESTRAL_TRAILING),
            default_steps=1,
            pixels=_PIXELS,
            licence="sai-nc-community",
            source="https://huggingface.co/stabilityai/sd-turbo",
        ),
    ),
)
