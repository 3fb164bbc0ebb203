"""From a model of the family to a tuned contestant: which adapters it has, how each is tuned, how it enters."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from hypersd.arena.service.studies import read_prompts
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preferences, read_preferences
from hypersd.feedback.reward.reward_folder import check_tunable
from hypersd.feedback.tuning.perception_scenes import SceneFeedback
from hypersd.feedback.tuning.refl import PerceptionLoss
from hypersd.feedback.tuning.refl_defaults import PERCEPTION
from hypersd.feedback.tuning.task import Tuned, TuningTask, digest
from hypersd.feedback.tuning.tuning_methods import TuningMethod
from hypersd.models.adapter_file import inspect
from hypersd.models.adapter_fit import fit_file
from hypersd.models.families.embedded import prompt_source, scene_perception, training_scenes
from hypersd.models.loading import Loader
from hypersd.models.machine import Machine
from hypersd.models.registered import RegisteredModel, register
from hypersd.models.registry import family as find_family
from hypersd.models.registry import is_local
from hypersd.models.specs import Capability, Family, Recipe
from hypersd.models.weights import Weights

log = logging.getLogger(__name__)

_PROMPTS = 2000
_VALIDATION = 12
_VALIDATION_SEED = 77
_FEWEST = 4
"""Prompts that are looked at however short the training is: one for each of 1, 2, 4 and 8 steps."""

_LONGEST = 8
"""Schedules of more steps are not trained on; feedback in the paper is on those of 1 to 8 steps (section 3.2)."""


@dataclass(frozen=True, slots=True)
class AdapterGroup:
    """The recipes of one adapter file."""

    file: Path
    recipes: tuple[Recipe, ...]

    @property
    def steps(self) -> list[int]:
        """Numbers of steps at which the adapter is run."""
        return [recipe.steps for recipe in self.recipes]

    @property
    def trained(self) -> tuple[Recipe, ...]:
        """The recipes that are trained on."""
        short = tuple(recipe for recipe in self.recipes if recipe.steps <= _LONGEST)
        return short or self.recipes[:1]


def groups_of(family: Family, model: str, adapter: Path | None = None) -> list[AdapterGroup]:
    """A model's recipes by the adapter that they use; only those of `adapter` if one is named.

    An adapter from elsewhere runs with the recipes of the model's default adapter.

    Raises:
        ValueError: the model has no adapters, or `adapter` is none that fits the family.
        FileNotFoundError: there is no such adapter.
        DownloadError: one of the model's, or the base, cannot be fetched.
    """
    spec = family.spec(model)
    by_weights: dict[Weights, list[Recipe]] = {}
    for recipe in spec.recipes:
        if recipe.weights.kind == "lora":
            by_weights.setdefault(recipe.weights, []).append(recipe)
    if not by_weights:
        raise ValueError(f"{model} has no adapter that could be tuned")
    loader = _loader(family)
    if adapter is None:
        return [AdapterGroup(loader.file(weights), tuple(recipes)) for weights, recipes in by_weights.items()]
    inspect(adapter)  # before a base may have to be fetched
    fitted = fit_file(adapter, loader.source().folder / "unet")
    if fitted.warning:
        log.warning("%s", fitted.warning)
    own = [
        recipes
        for weights, recipes in by_weights.items()
        if is_local(family, weights, loader.machine) and loader.file(weights).samefile(adapter)
    ]
    usual = by_weights.get(spec.recipe().weights) or next(iter(by_weights.values()))
    return [AdapterGroup(adapter, tuple(own[0] if own else usual))]


def _loader(family: Family) -> Loader:
    return Loader(family, Machine.here(), log.info)


def tune(
    family: Family,
    groups: Sequence[AdapterGroup],
    *,
    rewards: Sequence[Path],
    out: Path,
    method: TuningMethod = "refl",
    votes: tuple[Preferences, ImageStore] | None = None,
    prompts: Sequence[str] | None = None,
    perception: PerceptionLoss | None = None,
    perception_weight: float = PERCEPTION,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    shorten: float = 1.0,
    seed: int = 0,
) -> list[tuple[AdapterGroup, Tuned]]:
    """Tune each adapter, in `out/NAME`.

    Args:
        family: its base is fetched if need be.
        groups: of `groups_of`.
        rewards: folders of `reward train`.
        out: where everything goes; a run that was broken off goes on.
        method: see `hypersd.feedback.tuning.task`.
        votes: for `dpo`, with their pictures; its training prompts' only.
        prompts: to train on; None means captions of the family's own scenes or, if it knows none, its arena's prompts.
        perception: for `refl`; None means a network that sees the family's own scenes, if it has one.
        perception_weight: of that loss; 0 trains without it.
        learning_rate: None means `default_rate` of each adapter.
        batch_size: pictures a step; None means as many as their size allows.
        shorten: factor on the numbers of steps and of prompts that are looked at.
        seed: of every random number.

    Raises:
        ValueError: the prompts are too few, or something does not fit.
        OSError: something is missing, or `out` cannot be written.
    """
    training, others = _prompts(family, prompts)
    validation = others[: max(_FEWEST, round(shorten * len(others)))]
    source = _loader(family).source()
    if perception_weight and perception is None and method == "refl" and (perceptor := scene_perception(family)):
        perception = SceneFeedback(perceptor)
    return [
        (
            group,
            TuningTask(
                source=source,
                few_steps=group.file,
                recipes=group.trained,
                rewards=rewards,
                prompts=training,
                validation=validation,
                out=out / group.file.stem,
                method=method,
                perception=perception,
                perception_weight=perception_weight,
                learning_rate=learning_rate,
                preferences=votes[0].split("train") if votes else (),
                pictures=votes[1] if votes else None,
                batch_size=batch_size,
                shorten=shorten,
                seed=seed,
            ).run(),
        )
        for group in groups
    ]


def tune_model(
    model: str = "hyper",
    *,
    rewards: Sequence[str | Path],
    out: str | Path,
    family: str = "emoji",
    method: TuningMethod = "refl",
    votes: str | None = None,
    shorten: float = 1.0,
    seed: int = 0,
) -> list[Tuned]:
    """Tune every adapter of a model with reward models; public as `hypersd.feedback.tune`.

    Args:
        model: of the family; it has adapters.
        rewards: folders of `python -m hypersd reward train`.
        out: where everything goes, merged adapters as `NAME/adapter.safetensors`; an interrupted run goes on.
        family: `emoji`, `sdxl` or `sd15`.
        method: `refl` (reward feedback learning, Hyper-SD section 3.2) or `dpo` (Diffusion-DPO).
        votes: for `dpo`, an export or a folder of published votes.
        shorten: factor on the number of steps, for a quick look.
        seed: of every random number.

    Raises:
        ValueError: there is no such family or model, a reward model has learned nothing, or `dpo` has no votes.
        OSError: something is missing, or `out` cannot be written.
    """
    if method == "dpo" and votes is None:
        raise ValueError("dpo learns from the votes themselves; name them with `votes`")
    check_tunable([Path(folder) for folder in rewards])
    chosen, pictures = find_family(family), ImageStore(str(Path(out) / "pictures"))
    results = tune(
        chosen,
        groups_of(chosen, model),
        rewards=[Path(folder) for folder in rewards],
        out=Path(out),
        method=method,
        votes=(read_preferences(votes, pictures), pictures) if votes is not None and method == "dpo" else None,
        shorten=shorten,
        seed=seed,
    )
    return [tuned for _, tuned in results]


def _prompts(family: Family, given: Sequence[str] | None) -> tuple[Sequence[str], Sequence[str]]:
    """Prompts to train on, and others to look at."""
    if given is not None or not family.has(Capability.SCENES):
        known = read_prompts(family.prompt_set) if given is None else given
        last = max(1, len(known) // 10)
        if len(known) < 4:
            raise ValueError(f"{len(known)} prompts are too few; write at least four")
        return known[:-last], known[-last:]
    scenes, rng = training_scenes(family.require(Capability.SCENES, "be tuned").parent), np.random.default_rng(5)
    captions = [scenes.caption(index, rng) for index in range(_PROMPTS)]
    return captions, prompt_source(family, "be tuned").held_out(_VALIDATION, _VALIDATION_SEED)


def gained(results: Sequence[tuple[AdapterGroup, Tuned]]) -> bool:
    """Tell if anything better than the untuned model came of it; else a contestant would be its double."""
    return any(tuned.weight for _, tuned in results)


def lineage_of(results: Sequence[tuple[AdapterGroup, Tuned]]) -> Mapping[str, str]:
    """The origin of a tuned model: votes and reward models. That of each adapter is recorded beside it (`enter`)."""
    return {name: value for name, value in results[0][1].lineage.items() if name != "adapter"}


def enter(
    name: str,
    family: Family,
    parent: str,
    results: Sequence[tuple[AdapterGroup, Tuned]],
    *,
    folder: Path,
    lineage: Mapping[str, JsonValue],
) -> Path:
    """Register a tuned model as a contestant: the arena draws it, blind, from its next pair on.

    Raises:
        ValueError: the name cannot be one, or is taken.
        OSError: the folder cannot be written.
    """
    files = {f"{group.file.stem}.safetensors": tuned.adapter for group, tuned in results}
    adapters = {str(recipe.steps): f"{group.file.stem}.safetensors" for group, _ in results for recipe in group.recipes}
    origins = {group.file.stem: {"from": digest(group.file), "weight": tuned.weight} for group, tuned in results}
    registered_model = RegisteredModel(
        name=name,
        title=f"{family.spec(parent).title} with feedback ({name})",
        family=family.name,
        parent=parent,
        adapters=adapters,
        lineage={**lineage, "adapters": origins},
    )
    return register(registered_model, files, folder)
