"""The files that a distillation method reads, looked over before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from hypersd.distill.catalog import METHODS, Need
from hypersd.utils.model_folders import LATENTS, check_clip, check_pipeline, latent_shape
from hypersd.utils.readers import check_array


def check_inputs(method: str, folder: Path, data: Path, adapter: Path | None = None) -> None:
    """See that the files that a method reads are there and whole.

    Args:
        method: one of `METHODS`.
        folder: of the base.
        data: where scenes that were encoded before are, if any were.
        adapter: that the method starts from; None is the base's own.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged or something else.
    """
    needs = METHODS[method].needs
    check_pipeline(folder)
    if Need.CLIP in needs:
        check_clip(folder / "clip")
    latents = data / LATENTS
    if Need.LATENTS in needs and latents.exists():
        check_array(latents, latent_shape(folder), "latents of scenes")
    if Need.ADAPTER in needs:
        from hypersd.models.adapter_fit import fit_file  # noqa: PLC0415 - brings torch

        fit_file(adapter or folder / "adapters" / "hyper.safetensors", folder / "unet")
