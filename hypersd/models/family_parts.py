"""Parts that a family may have beside its models, as data: ControlNets, a tiny decoder, other bases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hypersd.models.control_specs import ControlMode
from hypersd.models.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlNetSpec:
    """A ControlNet of a family (Zhang et al. 2023).

    Args:
        modes: that it was trained for.
        weights: of kind `"controlnet"` or `"control-lora"`.
        scale: conditioning scale that its authors recommend.
        memory_gb: additional memory on the device, in half precision.
        licence: of its weights.
        source: where the settings were read.
    """

    modes: tuple[ControlMode, ...]
    weights: Weights
    scale: float
    licence: str
    source: str
    memory_gb: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyDecoder:
    """A small autoencoder for a family's latents.

    Args:
        repository: on the Hub.
        decode_tflop: 10¹² operations to decode a picture of the family's usual size.
    """

    repository: str
    decode_tflop: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StyledBase:
    """A family's base in another style, by a LoRA that is shipped with it.

    Args:
        name: by which it is chosen.
        title: for visitors.
        weights: the LoRA, in the family's folder.
        licence: of its weights.
        source: where its art and its training are described.
    """

    name: str
    title: str
    weights: Weights
    licence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherBase:
    """Another base for a family's adapters (see `hypersd.models.other_base`, which checks it).

    It is in `repository` or `place`; with neither it is the family's own, in `styles`.

    Args:
        name: by which it is chosen, which is its title too.
        family: name of the family whose base has the same architecture.
        source: where it is from, for visitors: without the path of a file or folder.
        repository: on the Hub.
        place: a diffusers folder or a single-file checkpoint.
        variant: of a repository's weight files ("fp16"), or None.
        vae: a repository whose VAE replaces the base's, or None.
        styles: LoRAs that are fused into it.
    """

    name: str
    family: str
    source: str
    repository: str | None = None
    place: Path | None = None
    variant: str | None = None
    vae: str | None = None
    styles: tuple[Weights, ...] = ()
