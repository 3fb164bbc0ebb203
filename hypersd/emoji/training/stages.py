"""The stages in which the embedded family is rebuilt, and what each of them needs: known without loading anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from hypersd.utils.model_folders import FAMILY_FOLDER, LATENTS, check_part
from hypersd.utils.readers import check_array

STAGES = ("autoencoder", "clip", "latents", "base", "control")
LATENT_SHAPE = (12, 16, 16)
"""(C, H, W) of a scene of 128 × 128 pixels."""

_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "autoencoder": ("vae",),
        "clip": ("tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2"),
        "base": ("unet",),
    }
)
"""The parts of the family that a stage leaves and later ones read."""

_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "latents": ("autoencoder",),
        "base": ("autoencoder", "clip", "latents"),
        "control": ("autoencoder", "clip", "base"),
    }
)


def check_stages(out: Path, stages: Sequence[str]) -> None:
    """See that stages can be run: they are known, and what earlier ones leave is in `out` or will be.

    Raises:
        ValueError: a stage is unknown, or what it needs is missing or damaged.
    """
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise ValueError(f"unknown stage {unknown[0]!r}; the stages are {', '.join(STAGES)}")
    for stage in stages:
        for earlier in _NEEDS.get(stage, ()):
            if earlier not in stages:
                _check_left(out, earlier, stage)


def _check_left(out: Path, earlier: str, stage: str) -> None:
    try:
        for part in _PARTS.get(earlier, ()):
            check_part(out / FAMILY_FOLDER / part)
        if earlier == "latents":
            check_array(out / LATENTS, LATENT_SHAPE, "latents of scenes")
    except (OSError, ValueError) as error:
        raise ValueError(f"the stage {stage} needs what the stage {earlier} leaves, but {error}") from error
