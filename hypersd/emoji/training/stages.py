"""The stages of rebuilding the embedded family and their inputs; importing this loads no heavy library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from hypersd.utils.model_folders import FAMILY_FOLDER, LATENTS, check_part
from hypersd.utils.readers import check_array

STAGES = ("autoencoder", "clip", "latents", "base", "control", "styles")
LATENT_SHAPE = (12, 16, 16)
"""(C, H, W) of a scene of 128 × 128 pixels."""

_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "autoencoder": ("vae",),
        "clip": ("tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2"),
        "base": ("unet",),
    }
)
"""The parts of the family that each stage writes and later ones read."""

_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "latents": ("autoencoder",),
        "base": ("autoencoder", "clip", "latents"),
        "control": ("autoencoder", "clip", "base"),
        "styles": ("autoencoder", "clip", "base"),
    }
)


def check_stages(out: Path, stages: Sequence[str]) -> None:
    """Check that stages can run: their names are known, and their inputs are in `out` or written by an earlier stage.

    Raises:
        ValueError: a stage is unknown, or an input is missing or damaged.
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
        raise ValueError(f"the stage {stage} needs the output of the stage {earlier}, but {error}") from error
