"""The distillation methods, one row each: requirements, stages, batch size and recipe.

The rows can be read without loading PyTorch, so that a command can check its options at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from pkgutil import resolve_name
from typing import Literal

RealScore = Literal["consistency", "base"]
"""Target score of score distillation: the few-step model's, or the guided base's (plain DMD)."""


class Need(Enum):
    """Things that a method needs besides a base model and captioned pictures; the values complete "it needs …"."""

    LATENTS = "encoded pictures"
    PAIRS = "pairs of noise and what a teacher draws from it"
    JUMPS = "jumps of the student's own, and a teacher's from the same places"
    DISCRIMINATOR = "a discriminator"
    CLIP = "the family's CLIP model"
    ADAPTER = "an adapter of few steps to start from"
    TEACHER_STEPS = "single steps of the teacher from noised pictures"
    SCORES = "the scores of a teacher and of a copy that follows the student"


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
        adversarial: names of its stages with a discriminator of latents.
    """

    title: str
    recipe: str
    stages: tuple[str, ...]
    batch_size: int
    needs: frozenset[Need]
    guidance: tuple[float, float] | None = None
    adversarial: tuple[str, ...] = ()

    def trainer(self) -> Callable[..., None]:
        """The function that trains the stages of a `DistillationTask` by this method."""
        return resolve_name(f"hypersd.distill.recipes.{self.recipe}_recipe:train")


METHODS = {
    "tscd": DistillationMethod(
        title="trajectory segmented consistency distillation (Hyper-SD)",
        recipe="tscd",
        stages=("segments-8", "segments-4", "segments-2", "segments-1", "segments-1-unconditional"),
        batch_size=32,
        needs=frozenset({Need.LATENTS, Need.TEACHER_STEPS, Need.DISCRIMINATOR}),
        guidance=(2.5, 4.0),
        adversarial=("segments-2", "segments-1", "segments-1-unconditional"),
    ),
    "unified": DistillationMethod(
        title="one adapter for 1 to 8 steps: one segment and one-step enhancement at once (Hyper-SD)",
        recipe="unified",
        stages=("regression", "unified"),
        batch_size=32,
        needs=frozenset({Need.LATENTS, Need.TEACHER_STEPS, Need.PAIRS, Need.ADAPTER, Need.SCORES}),
        guidance=(2.5, 4.0),
    ),
    "cfg": DistillationMethod(
        title="segmented consistency for 12 and 8 steps that keeps guidance and negative prompts (Hyper-SD)",
        recipe="cfg",
        stages=("segments-12", "segments-8"),
        batch_size=32,
        needs=frozenset({Need.LATENTS, Need.TEACHER_STEPS}),
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
        needs=frozenset({Need.PAIRS, Need.ADAPTER, Need.SCORES}),
    ),
    "tcd": DistillationMethod(
        title="trajectory consistency distillation (TCD)",
        recipe="tcd",
        stages=("segments-1",),
        batch_size=32,
        needs=frozenset({Need.LATENTS, Need.TEACHER_STEPS}),
        guidance=(2.5, 4.0),
    ),
    "lcm": DistillationMethod(
        title="latent consistency distillation (LCM)",
        recipe="lcm",
        stages=("segments-1",),
        batch_size=32,
        needs=frozenset({Need.LATENTS, Need.TEACHER_STEPS}),
        guidance=(2.5, 4.0),
    ),
    "perflow": DistillationMethod(
        title="piecewise rectified flow (PeRFlow)",
        recipe="perflow",
        stages=("perflow",),
        batch_size=32,
        needs=frozenset({Need.LATENTS}),
        guidance=(3.0, 3.0),
    ),
    "lightning": DistillationMethod(
        title="progressive adversarial distillation (SDXL-Lightning)",
        recipe="lightning",
        stages=("4-step", "2-step", "1-step", "1-step-unconditional"),
        batch_size=24,
        needs=frozenset({Need.LATENTS, Need.DISCRIMINATOR}),
        guidance=(3.0, 3.0),
        adversarial=("2-step", "1-step", "1-step-unconditional"),
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


def check_clip_needed(method: str, folder: Path) -> None:
    """Check that the folder of a base has the CLIP model if a method needs it.

    Raises:
        ValueError: it has none.
    """
    if Need.CLIP in METHODS[method].needs and not (folder / "clip").is_dir():
        raise ValueError(f"{method} needs {Need.CLIP.value}, and there is none in {folder / 'clip'}")


def check_feedback(method: str, *, wanted: bool) -> None:
    """Check that a method supports a human-feedback loss, if one is wanted.

    Raises:
        ValueError: it does not.
    """
    if wanted and Need.SCORES not in METHODS[method].needs:
        raise ValueError(f"{method} takes no human feedback; {' and '.join(methods_that_need(Need.SCORES))} do")


def methods_that_need(need: Need) -> tuple[str, ...]:
    """Names of the methods with this need."""
    return tuple(name for name, method in METHODS.items() if need in method.needs)
