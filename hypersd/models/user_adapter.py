"""An adapter file of the user's as a model of a family, run as one of the family's own models is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypersd.models.adapter_file import inspect
from hypersd.models.adapter_fit import fit_file
from hypersd.models.registry import Machine, unet_folder
from hypersd.models.specs import Family, Weights

ADAPTER = "adapter"
"""Name of the model."""


def with_user_adapter(family: Family, file: Path, like: str | None, machine: Machine) -> Family:
    """The family with one model more, `ADAPTER`: what an adapter file makes of its base.

    Args:
        family: whose base it was made for.
        file: the adapter.
        like: the model by whose recipes it is run; by default the one that runs at most numbers of steps.
        machine: where the base is.

    Raises:
        OSError: there is no such file, or it does not fit the family (which is seen only if the base is there).
        ValueError: there is no model to run it like, or one of the adapter's name already.
    """
    names = [spec.name for spec in family.specs]
    if ADAPTER in names:
        raise ValueError(f"{family.name} has a model that is called {ADAPTER!r} already; rename it")
    parent = family.spec(like) if like else family.unified
    unet = unet_folder(family, machine)
    if unet is None:
        inspect(file)
    else:
        fit_file(file, unet)
    weights = Weights(kind="lora", file=str(file.resolve()))
    spec = replace(
        parent,
        name=ADAPTER,
        title=file.name,
        recipes=tuple(replace(recipe, weights=weights) for recipe in parent.recipes),
        note=f"{file.name}, run as {parent.title} is.",
    )
    return replace(family, specs=(*family.specs, spec))
