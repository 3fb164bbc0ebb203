"""Few-step models whose first steps are done by the base, for more diversity.

A few-step model decides the content of the picture in its first step, and similarly for every noise; the base with
guidance does not (Gandikota and Bau 2025, "Distilling Diversity and Control in Diffusion Models").
"""

from __future__ import annotations

from dataclasses import replace

from hypersd.models.specs import Family, ModelSpec


def with_base_first(family: Family, count: int) -> Family:
    """The family with models whose first `count` steps the base takes, at their times and with its own guidance.

    Recipes with at most `count` steps, and models without other recipes, are left out; the base is unchanged.

    Raises:
        ValueError: no model has a recipe of more steps.
    """
    base = family.base_model
    guidance = base.recipe().guidance_scale
    begun = [spec if spec is base else _begun(spec, count, guidance) for spec in family.specs]
    specs = tuple(spec for spec in begun if spec is not None)
    if specs == (base,):
        raise ValueError(f"no model of {family.name} runs at more than {count} steps; let the base take fewer")
    return replace(family, specs=specs)


def _begun(spec: ModelSpec, count: int, guidance: float) -> ModelSpec | None:
    recipes = tuple(
        replace(recipe, base_first=count, base_guidance=guidance) for recipe in spec.recipes if recipe.steps > count
    )
    if not recipes:
        return None
    steps = [recipe.steps for recipe in recipes]
    default = spec.default_steps if spec.default_steps in steps else steps[0]
    return replace(spec, recipes=recipes, default_steps=default)
