"""The distillation methods, a row each: what a method needs, its stages, its batch size, and where it is trained.

The rows can be read without loading PyTorch, so that a command can check its options at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pkgutil import resolve_name


class Need(Enum):
    """Things that a method needs besides a base model and captioned pictures; the values complete "it needs …"."""

    LATENTS = "encoded pictures"
    PAIRS = "pairs of noise and what a teacher draws from it"
    JUMPS = "jumps of the student's own, and a teacher's from the same places"
    DISCRIMINATOR = "a discriminator"
    CLIP = "the family's CLIP model"
    ADAPTER = "an adapter of few steps to start from"


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationMethod:
    """A method of distillation.

    Args:
        title: one line, for people.
        recipe: `train` of the module `NAME_recipe` in `hypersd.distill.recipes` trains it.
        stages: names of its stages, in order; a stage leaves `NAME.safetensors`.
        batch_size: samples a step, over all processes.
        needs: see `Need`.
        guidance: range from which the teacher's scale is drawn, low and high; None if no teacher is guided.
    """

    title: str
    recipe: str
    stages: tuple[str, ...]
    batch_size: int
    needs: frozenset[Need]
    guidance: tuple[float, float] | None = None

    def trainer(self) -> Callable[..., None]:
        """The function that trains the stages of a `DistillationTask` by this method."""
        return resolve_name(f"hypersd.distill.recipes.{self.recipe}_recipe:train")


METHODS = {
    "tscd": DistillationMethod(
        title="trajectory segmented consistency distillation (Hyper-SD)",
        recipe="tscd",
        stages=("segments-8", "segments-4", "segments-2", "segments-1"),
        batch_size=32,
        needs=frozenset({Need.LATENTS, Need.DISCRIMINATOR}),
        guidance=(2.5, 4.0),
    ),
    "backward": DistillationMethod(
        title="backward distillation of the family's few-step adapter, on its own trajectories (after Imagine Flash)",
        recipe="backward",
        stages=("backward",),
        batch_size=32,
        needs=frozenset({Need.JUMPS, Need.ADAPTER}),
        guidance=(3.0, 3.0),
    ),
    "one-step": DistillationMethod(
        title="one-step enhancement by score distillation, from the family's few-step adapter (Hyper-SD)",
        recipe="one_step",
        stages=("regression", "score"),
        batch_size=40,
        needs=frozenset({Need.PAIRS, Need.ADAPTER}),
    ),
    "lightning": DistillationMethod(
        title="progressive adversarial distillation (SDXL-Lightning)",
        recipe="lightning",
        stages=("4-step", "2-step", "1-step", "1-step-unconditional"),
        batch_size=24,
        needs=frozenset({Need.LATENTS, Need.DISCRIMINATOR}),
        guidance=(3.0, 3.0),
    ),
    "turbo": DistillationMethod(
        title="adversarial diffusion distillation (SDXL-Turbo)",
        recipe="turbo",
        stages=("turbo",),
        batch_size=16,
        needs=frozenset({Need.LATENTS, Need.DISCRIMINATOR, Need.CLIP}),
        guidance=(3.0, 3.0),
    ),
}


def methods_that_need(need: Need) -> tuple[str, ...]:
    """Names of the methods with this need."""
    return tuple(name for name, method in METHODS.items() if need in method.needs)
