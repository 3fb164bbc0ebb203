"""The files that a distillation method reads, looked over before anything is loaded."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hypersd.distill.catalog import METHODS, Need
from hypersd.utils.model_folders import LATENTS, check_clip, check_pipeline, feature_side, latent_shape
from hypersd.utils.readers import check_array

_LEAST_SIDE = 4
"""Side of the smallest features that a discriminator's head can read: it halves them twice, with windows of 4 × 4."""


def check_inputs(
    method: str, folder: Path, data: Path, adapter: Path | None = None, stages: Collection[str] = ()
) -> None:
    """See that the files that a method reads are there and whole.

    Args:
        method: one of `METHODS`.
        folder: of the base.
        data: where scenes that were encoded before are, if any were.
        adapter: that the method starts from; None is the base's own.
        stages: the method's stages that are to be trained.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged or something else, or the base is too small for a stage.
    """
    needs = METHODS[method].needs
    check_pipeline(folder)
    check_size(method, folder, stages)
    if Need.CLIP in needs:
        check_clip(folder / "clip")
    latents = data / LATENTS
    if Need.LATENTS in needs and latents.exists():
        check_array(latents, latent_shape(folder), "latents of scenes")
    if Need.ADAPTER in needs:
        from hypersd.models.adapter_fit import fit_file  # noqa: PLC0415 - brings torch

        fit_file(adapter or folder / "adapters" / "hyper.safetensors", folder / "unet")


def check_size(method: str, folder: Path, stages: Collection[str]) -> None:
    """Check that the latents of a base are large enough for the discriminators of these stages.

    Raises:
        OSError: the UNet's configuration is missing.
        ValueError: it is damaged, or the latents are too small.
    """
    judged = [name for name in METHODS[method].adversarial if name in stages]
    if not judged or (side := feature_side(folder)) >= _LEAST_SIDE:
        return
    _, height, width = latent_shape(folder)
    others = [name for name in stages if name not in judged]
    raise ValueError(
        f"{folder} is too small for the discriminator of {', '.join(judged)}: its UNet makes {side} × {side} of "
        f"latents of {height} × {width}, and {_LEAST_SIDE} × {_LEAST_SIDE} are needed; "
        + (f"train --stages {','.join(others)}, or another base" if others else "train another base")
    )
