"""Style LoRAs: adapters that are fused into the base, below the few-step adapters of all models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypersd.models.changed_base import ChangedBase, on_changed_base
from hypersd.models.downloads import ProgressCallback
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.models.style_file import style_path
from hypersd.models.user_adapter import check_fit
from hypersd.models.weights import Weights


def with_styles(family: Family, styles: Sequence[Weights], machine: Machine, progress: ProgressCallback) -> ChangedBase:
    """The family with its base in these styles; models that have a UNet of their own are left out.

    Args:
        family: whose base is changed.
        styles: LoRA files for this base, with their strengths as scales; they are added up.
        machine: has the base, or fetches the files.
        progress: hears what is fetched.

    Raises:
        DownloadError: a file cannot be fetched.
        OSError: a file is missing, damaged, or does not fit the base (see `check_fit`).
    """
    files = [style_path(style, machine, progress) for style in styles]
    for file in files:
        check_fit(file, family, machine)
    base = family.base_model
    title = ", ".join([base.title, *(file.stem for file in files)])
    return on_changed_base(replace(family, styles=(*family.styles, *styles)), title, base.licence, base.source)
