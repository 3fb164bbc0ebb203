"""Style LoRAs: adapters that are fused into the base, below the few-step adapters of all models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hypersd.models.adapter_file import inspect
from hypersd.models.adapter_fit import fit_file
from hypersd.models.changed_base import ChangedBase, on_changed_base
from hypersd.models.machine import Machine
from hypersd.models.registry import unet_folder
from hypersd.models.specs import Family
from hypersd.models.weights import Weights


def with_styles(family: Family, styles: Sequence[Weights], machine: Machine) -> ChangedBase:
    """The family with its base in these styles; models that have a UNet of their own are left out.

    Args:
        family: whose base is changed.
        styles: LoRA files for this base, with their strengths as scales; they are added up.
        machine: has the base.

    Raises:
        OSError: a file is missing, damaged, or does not fit the base (checked layer by layer if the base is on disk).
    """
    unet = unet_folder(family, machine)
    files = [Path(str(style.file)) for style in styles]
    for file in files:
        if unet is None:
            inspect(file)
        else:
            fit_file(file, unet)
    base = family.base_model
    title = ", ".join([base.title, *(file.stem for file in files)])
    return on_changed_base(replace(family, styles=(*family.styles, *styles)), title, base.licence, base.source)
