"""Plan of a request: each run's recipe with the supported parameters, and reasons for the unsupported ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from hypersd.models.specs import Family, ModelSpec, Recipe
from hypersd.sampling.remarks import listed
from hypersd.sampling.request import Request, SamplingParameters, sides

_NAMED = 3
"""Largest number of models that a suggestion names."""


@dataclass(frozen=True, slots=True)
class _Published:
    """A published recipe with its model and family."""

    family: Family
    spec: ModelSpec
    recipe: Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A run with everything that determines its picture, except prompt and seed.

    Args:
        recipe: the model's recipe with the supported parameters.
        negative_prompt: empty for none.
        size: width and height in pixels.
        refused: for each unsupported parameter, the reason and what to do, as the end of a sentence that begins with
            `label`.
        remarks: sentences about possible faults of the picture.
    """

    spec: ModelSpec
    recipe: Recipe
    negative_prompt: str
    size: tuple[int, int]
    refused: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    remarks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The model and its steps in words: `hyper at 4 steps`."""
        return f"{self.spec.name} at {self.recipe.steps} step{'s' if self.recipe.steps > 1 else ''}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about parameters that are not applied, and about possible faults of the picture."""
        return (*(f"Not applied: {self.label} {problem}." for problem in self.refused.values()), *self.remarks)


def planned(family: Family, request: Request) -> list[PlannedRun]:
    """A request's runs in the order in which they are drawn: fewest UNet calls first.

    Raises:
        ValueError: a model is unknown, or does not run at the number of steps asked for; or none of them bears a
            parameter that is set.
    """
    runs = [plan_run(family, family.spec(run.model), run.steps, request.parameters) for run in request.runs]
    _check_borne(runs, request.parameters)
    return sorted(runs, key=lambda run: run.recipe.calls)


def plan_run(
    family: Family, spec: ModelSpec, steps: int | None, parameters: SamplingParameters | None = None
) -> PlannedRun:
    """Set parameters (if any) in a model's recipe; unsupported ones are left out, with the reason.

    Raises:
        ValueError: the model does not run at this number of steps.
    """
    recipe = spec.recipe(steps)
    wanted, published = {} if parameters is None else parameters.given, _Published(family, spec, recipe)
    refused = {name: problem for name, value in wanted.items() if (problem := _PROBLEMS[name](published, value))}
    borne = {name: value for name, value in wanted.items() if name not in refused}
    recipe = replace(
        recipe,
        **{name: borne[name] for name in ("eta", "guidance_scale") if name in borne},
        weights=replace(recipe.weights, scale=borne.get("strength", recipe.weights.scale)),
    )
    if "negative_prompt" in borne and recipe.guidance_scale <= 1:
        refused["negative_prompt"] = "follows no negative prompt without guidance; set guidance above 1"
    size = borne.get("size", (spec.pixels, spec.pixels))
    negative = "" if "negative_prompt" in refused else borne.get("negative_prompt", "")
    return PlannedRun(
        spec=spec, recipe=recipe, negative_prompt=negative, size=size, refused=refused, remarks=_remarks(spec, size)
    )


def warnings_of(runs: Sequence[PlannedRun]) -> tuple[str, ...]:
    """The warnings of several runs; equal warnings are merged into one sentence."""
    refusals = (f"Not applied: {words}." for words in _refusals(runs, _PROBLEMS))
    return tuple(dict.fromkeys([*refusals, *(remark for run in runs for remark in run.remarks)]))


def _refusals(runs: Sequence[PlannedRun], names: Iterable[str]) -> list[str]:
    """Reasons why runs do not support these parameters; runs with the same reason are merged."""
    alike: dict[str, list[str]] = {}
    for name in names:
        for run in runs:
            if name in run.refused:
                alike.setdefault(run.refused[name], []).append(run.label)
    return [f"{'each of ' if len(labels) > 1 else ''}{listed(labels)} {problem}" for problem, labels in alike.items()]


def _check_borne(runs: Sequence[PlannedRun], parameters: SamplingParameters) -> None:
    """Check that each given parameter changes at least one run.

    Raises:
        ValueError: one changes none; the message says why, and what to do.
    """
    for name in parameters.given:
        if all(name in run.refused for run in runs):
            raise ValueError("; ".join(_refusals(runs, [name])))


def _remarks(spec: ModelSpec, size: tuple[int, int]) -> tuple[str, ...]:
    if max(size) == min(size) == spec.pixels:
        return ()
    made_for = sides((spec.pixels, spec.pixels))
    return (f"At {sides(size)} pixels a model that was made for {made_for} may cut off, repeat or blur things.",)


def _eta_problem(of: _Published, _eta: float) -> str:
    if of.recipe.eta is not None:
        return ""
    sampler = of.recipe.scheduler.name.removesuffix("Scheduler")
    return f"takes no eta: {sampler} has none in its recipe; {_choose(of, lambda other: other.eta is not None)}"


def _strength_problem(of: _Published, _strength: float) -> str:
    if of.recipe.weights.scalable:
        return ""
    return f"has no adapter whose strength could be set; {_choose(of, lambda other: other.weights.scalable)}"


def _guidance_problem(of: _Published, scale: float) -> str:
    if of.recipe.guidance_range is None:
        if scale == 1:
            return ""
        return (
            "takes no guidance: it was distilled into the weights, and more burns the picture; "
            f"{_choose(of, lambda other: other.guidance_range is not None)}"
        )
    low, high = of.recipe.guidance_range
    return "" if low <= scale <= high else f"was made for guidance from {low:g} to {high:g}, not {scale:g}"


def _negative_problem(of: _Published, _prompt: str) -> str:
    if of.recipe.guidance_range is not None:
        return ""
    return (
        "follows no negative prompt: only guidance leads away from one, and its guidance was distilled into the "
        f"weights; {_choose(of, lambda other: other.guidance_scale > 1)}"
    )


def _size_problem(of: _Published, size: tuple[int, int]) -> str:
    low, high = of.spec.pixels // 2, 2 * of.spec.pixels
    if all(side % of.family.size_multiple == 0 and low <= side <= high for side in size):
        return ""
    return (
        f"cannot draw {sides(size)} pixels; choose sides from {low} to {high} that are multiples of "
        f"{of.family.size_multiple}"
    )


_PROBLEMS: Mapping[str, Callable[[_Published, Any], str]] = MappingProxyType(
    {
        "eta": _eta_problem,
        "strength": _strength_problem,
        "guidance_scale": _guidance_problem,
        "negative_prompt": _negative_problem,
        "size": _size_problem,
    }
)
"""For each parameter, the end of a sentence "MODEL at N steps …" if the recipe does not support it, otherwise empty."""


def _choose(of: _Published, bears: Callable[[Recipe], bool]) -> str:
    """A suggestion of models of the family whose recipes support a parameter."""
    names: list[str] = []
    for spec in of.family.specs:
        steps = [str(recipe.steps) for recipe in spec.recipes if bears(recipe)]
        if len(steps) == len(spec.recipes):
            names.append(spec.name)
        elif steps:
            names.append(f"{spec.name} at {listed(steps, last='or')} steps")
    return f"leave it out, or choose {listed(names[:_NAMED], last='or')}" if names else "leave it out"
