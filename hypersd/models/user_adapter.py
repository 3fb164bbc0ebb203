"""A user's adapter file as a model of a family, with the recipes of one of the family's models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypersd.models.adapter_file import inspect
from hypersd.models.adapter_fit import check_architecture, fit_file
from hypersd.models.machine import Machine
from hypersd.models.other_base import family_traits
from hypersd.models.registry import unet_folder
from hypersd.models.specs import Family
from hypersd.models.weights import Weights

ADAPTER = "adapter"
"""Name of the model."""


def with_user_adapter(family: Family, file: Path, like: str | None, machine: Machine) -> Family:
    """The family with one more model, `ADAPTER`: its base with an adapter file.

    Args:
        family: has the base of the adapter.
        file: the adapter.
        like: the model with the recipes to use; by default the one that supports the most numbers of steps.
        machine: has the base.

    Raises:
        OSError: there is no such file, or it does not fit the family (see `check_fit`).
        ValueError: there is no model for `like`, or a model with the adapter's name exists already.
    """
    names = [spec.name for spec in family.specs]
    if ADAPTER in names:
        raise ValueError(f"{family.name} has a model that is called {ADAPTER!r} already; rename it")
    parent = family.spec(like) if like else family.unified
    check_fit(file, family, machine)
    weights = Weights(kind="lora", file=str(file.resolve()))
    spec = replace(
        parent,
        name=ADAPTER,
        title=file.name,
        recipes=tuple(replace(recipe, weights=weights) for recipe in parent.recipes),
        note=f"{file.name}, run as {parent.title} is.",
    )
    return replace(family, specs=(*family.specs, spec))


def check_fit(file: Path, family: Family, machine: Machine) -> None:
    """Check an adapter file: layer by layer if the family's base is in a folder on disk, else by its architecture.

    Raises:
        OSError: there is no such file, it is damaged, or it does not fit the family.
    """
    unet = unet_folder(family, machine)
    if unet is not None:
        fit_file(file, unet)
        return
    adapter, traits = inspect(file), family_traits(family, machine)
    if traits is not None:
        check_architecture(adapter, traits.text)
