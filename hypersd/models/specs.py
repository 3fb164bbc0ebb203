"""Specifications of models and their recipes, as data. Nothing is loaded here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from hypersd.models.control_specs import ControlMode
from hypersd.models.family_parts import ControlNetSpec, OtherBase, StyledBase, TinyDecoder
from hypersd.models.weights import Weights

MAX_STEPS = 50
_UNIFIED = ("hyper-unified", "hyper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """A diffusers scheduler class by name, and the arguments that differ from the base model's configuration.

    Args:
        extra_steps: evaluations that it makes beyond the number of steps (PNDM repeats its first one).
    """

    name: str
    arguments: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    extra_steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One published way to run a model.

    Args:
        guidance_scale: classifier-free guidance; at 1 and below there is none.
        guidance_range: scales that the model supports; None if its guidance was distilled into its weights.
        timesteps: custom timesteps for the scheduler.
        eta: stochasticity, for the schedulers that support it (DDIM's η, TCD's γ).
        base_first: number of first steps by the base, with guidance `base_guidance`.
    """

    steps: int
    weights: Weights
    scheduler: Scheduler
    guidance_scale: float = 0.0
    guidance_range: tuple[float, float] | None = None
    timesteps: tuple[int, ...] | None = None
    eta: float | None = None
    base_first: int = 0
    base_guidance: float = 0.0

    @property
    def calls(self) -> int:
        """UNet evaluations for one picture (NFE): two a step with guidance, as the paper counts."""
        return sum(self.calls_of(number) for number in range(self.steps + self.scheduler.extra_steps))

    def calls_of(self, step: int) -> int:
        """UNet evaluations of one step, counted from 0."""
        return 2 if (self.base_guidance if step < self.base_first else self.guidance_scale) > 1 else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model: its names, its recipes by ascending steps, and where it comes from.

    Args:
        max_steps: it supports all numbers of steps up to this one; an unlisted number uses the nearest listed recipe
            without custom timesteps (of two, that with fewer steps). None: only the listed numbers.
        note: one sentence for visitors, or empty.
        variant: it differs little from another model, so the page does not draw it until it is ticked.
    """

    name: str
    title: str
    recipes: tuple[Recipe, ...]
    default_steps: int
    pixels: int
    licence: str
    source: str
    max_steps: int | None = None
    note: str = ""
    variant: bool = False

    @property
    def any_steps(self) -> bool:
        """True if it supports numbers of steps without an own recipe."""
        return self.max_steps is not None

    def recipe(self, steps: int | None = None) -> Recipe:
        """The recipe for a number of steps; None means the default.

        Raises:
            ValueError: there is none; the message lists those that exist.
        """
        wanted = self.default_steps if steps is None else steps
        by_steps = {recipe.steps: recipe for recipe in self.recipes}
        if wanted in by_steps:
            return by_steps[wanted]
        if self.max_steps and 1 <= wanted <= self.max_steps:
            general = (recipe for recipe in self.recipes if recipe.timesteps is None)
            return replace(min(general, key=lambda recipe: abs(recipe.steps - wanted)), steps=wanted)
        known = f"1 to {self.max_steps}" if self.max_steps else ", ".join(map(str, by_steps))
        raise ValueError(f"{self.name} does not run at {wanted} steps; choose from: {known}")


class Capability(StrEnum):
    """An optional part of a family; the value completes "it has no …"."""

    SCENES = "scenes of its own"
    JUDGE = "judge of its own"
    CLIP = "CLIP model of its own"
    PERCEPTION = "perception network of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that share a base.

    Args:
        repository: the base on the Hub; None if the family lives in `folder`.
        folder: the base on disk, for a shipped family.
        variant: of the base's weight files ("fp16"), or None.
        text_encoders: number of its base's text encoders.
        vae: a repository whose VAE replaces the base's, or None.
        tiny_decoder: that may replace the VAE (see `hypersd.models.tiny_decoder`), or None.
        base: another base on disk, a diffusers folder or a single-file checkpoint (see `hypersd.models.other_base`).
        styles: LoRAs that are fused into the base (see `hypersd.models.style_lora`).
        styled_bases: the base in other styles, to choose from (see `hypersd.models.family_bases`).
        styled: the one of them that the base is in, or None.
        other_bases: for its adapters, to choose from (see `hypersd.models.offered_bases`).
        prompt_set: name of the prompts of its battles, in assets/prompts.
        memory_gb: memory of its base on the device, in half precision.
        unet_gb: additional memory of a model with its own UNet.
        size_multiple: the sides of its pictures are multiples of this number of pixels.
        is_reimplementation: trained by this package at toy scale, not the published weights.
        parts: its optional parts, each with its file or folder below `folder`.
        controlnets: ControlNets for its models.
        trained_later: models that it also has where their adapters are in `folder` (see `registry.living_in`).
    """

    name: str
    title: str
    pixels: int
    memory_gb: float
    specs: tuple[ModelSpec, ...]
    prompt_set: str
    repository: str | None = None
    folder: Path | None = None
    variant: str | None = None
    text_encoders: int = 1
    vae: str | None = None
    tiny_decoder: TinyDecoder | None = None
    base: Path | None = None
    styles: tuple[Weights, ...] = ()
    styled_bases: tuple[StyledBase, ...] = ()
    styled: StyledBase | None = None
    other_bases: tuple[OtherBase, ...] = ()
    unet_gb: float = 0
    unet_tflop: float = 0
    decode_tflop: float = 0
    size_multiple: int = 64
    is_reimplementation: bool = False
    parts: Mapping[Capability, str] = field(default_factory=lambda: MappingProxyType({}))
    controlnets: tuple[ControlNetSpec, ...] = ()
    trained_later: tuple[ModelSpec, ...] = ()

    @property
    def base_model(self) -> ModelSpec:
        """The model that runs the base's weights alone."""
        return next(spec for spec in self.specs if spec.recipe().weights.kind == "none")

    def controlnet(self, mode: ControlMode) -> ControlNetSpec:
        """The ControlNet for control images of a mode.

        Raises:
            ValueError: there is none; the message lists the modes that there are.
        """
        for spec in self.controlnets:
            if mode in spec.modes:
                return spec
        modes = ", ".join(dict.fromkeys(mode.value for spec in self.controlnets for mode in spec.modes))
        others = f"choose from: {modes}" if modes else "nor for anything else; choose another family"
        raise ValueError(f"{self.name} has no ControlNet for {mode.value}; {others}")

    def part(self, capability: Capability) -> Path | None:
        """Path of a part of the family; None if the family has none, or its file or folder is missing."""
        if self.folder is None or capability not in self.parts:
            return None
        place = self.folder / self.parts[capability]
        return place if place.exists() else None

    def has(self, capability: Capability) -> bool:
        """True if the family has a part."""
        return self.part(capability) is not None

    def require(self, capability: Capability, purpose: str) -> Path:
        """Path of a part of the family; `purpose` is used in the error message ("be distilled").

        Raises:
            ValueError: the family has no such part.
        """
        place = self.part(capability)
        if place is None:
            where = f" in {self.folder}" if self.folder else ""
            raise ValueError(f"{self.name} cannot {purpose}: it has no {capability.value}{where}")
        return place

    def spec(self, name: str) -> ModelSpec:
        """A model by name.

        Raises:
            ValueError: there is none; the message lists those that exist.
        """
        for spec in self.specs:
            if spec.name == name:
                return spec
        raise ValueError(f"unknown model {name!r}; {self.name} has: {', '.join(spec.name for spec in self.specs)}")

    @property
    def unified(self) -> ModelSpec:
        """The model that supports the most numbers of steps: Hyper-SD's unified LoRA, otherwise Hyper-SD.

        Raises:
            ValueError: it has neither.
        """
        names = [spec.name for spec in self.specs]
        return self.spec(next((name for name in _UNIFIED if name in names), _UNIFIED[-1]))
