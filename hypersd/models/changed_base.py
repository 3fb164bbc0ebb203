"""A family whose base is another one, or is changed: which of its models still run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hypersd.models.specs import Family, ModelSpec

_ON_ANY_BASE = ("none", "lora", "delta")
"""Kinds of weights that need no base of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedBase:
    """A family on a base that is not its own.

    Args:
        family: with the models that run on it.
        left_out: the models that do not, each with the reason.
    """

    family: Family
    left_out: Mapping[str, str]

    def check(self, models: Iterable[str]) -> None:
        """Check that models run on this base.

        Raises:
            ValueError: one of them does not.
        """
        for name in models:
            if name in self.left_out:
                raise ValueError(f"{name} does not run on another base: {self.left_out[name]}; choose another model")


def on_changed_base(based: Family, title: str, licence: str, source: str) -> ChangedBase:
    """The models that run on the family's base as it is now: adapters, and differences of weights.

    Args:
        based: the family, with its base changed.
        title: of the base.
        licence: of the base.
        source: where the base is from.
    """
    fitting = {spec.name: adaptable(spec) for spec in based.specs}
    left_out = {
        name: "it has a UNet of its own, which another base does not change"
        for name, spec in fitting.items()
        if spec is None
    }
    named = [
        replace(spec, title=title, licence=licence, source=source, note="")
        if spec.recipe().weights.kind == "none"
        else spec
        for spec in fitting.values()
        if spec is not None
    ]
    return ChangedBase(family=replace(based, specs=tuple(named)), left_out=left_out)


def adaptable(spec: ModelSpec) -> ModelSpec | None:
    """The model with the recipes that need no UNet of their own; None if there are none."""
    recipes = tuple(recipe for recipe in spec.recipes if recipe.weights.kind in _ON_ANY_BASE)
    if not recipes or recipes == spec.recipes:
        return spec if recipes else None
    steps = [recipe.steps for recipe in recipes]
    default = spec.default_steps if spec.default_steps in steps else steps[0]
    return replace(spec, recipes=recipes, default_steps=default, note="")
