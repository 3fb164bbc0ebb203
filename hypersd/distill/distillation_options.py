"""Options of a distillation that override a method's defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypersd.distill.catalog import METHODS, Need, RealScore, methods_that_need

if TYPE_CHECKING:
    from hypersd.training.optimization import OptimizerName
    from hypersd.training.precision import Precision

RANK = 16
MOST_GUIDANCE = 100.0

FEWEST_TEACHER_STEPS = 50
"""Smallest teacher cache: the finest grid of a solver has as many steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationOptions:
    """Options of one distillation; None is the method's default.

    Args:
        rank: of the adapter.
        learning_rate: of the student; discriminators keep their own.
        guidance: range from which the teacher's scale is drawn, low and high; equal where a method has one scale.
        stages: names of the stages to train; the others are skipped.
        steps: of each trained stage, or one number for all.
        accumulate: number of passes for a step's samples.
        precision: see `hypersd.training.precision.half_precision`.
        optimizer: see `hypersd.training.optimization.build_optimizer`.
        gradient_checkpointing: compute activations again for the gradient; None: for pictures beyond 256 px.
        real: the score that score distillation follows: the few-step model's, or the guided base's (plain DMD).
        teacher_cache: number of the teacher's steps that are drawn once and read again; None draws each anew.
        tracker: see `hypersd.training.trainer.TrainingConfig`.
    """

    rank: int = RANK
    learning_rate: float | None = None
    guidance: tuple[float, float] | None = None
    stages: tuple[str, ...] | None = None
    steps: tuple[int, ...] | None = None
    accumulate: int = 1
    precision: Precision = "bf16"
    optimizer: OptimizerName = "adamw"
    gradient_checkpointing: bool | None = None
    real: RealScore | None = None
    teacher_cache: int | None = None
    tracker: str | None = None

    def check(self, method: str) -> None:
        """Check that a method supports these options.

        Raises:
            ValueError: one is not supported.
        """
        row = METHODS[method]
        if min(self.rank, self.accumulate, *(self.steps or (1,))) < 1:
            raise ValueError("rank, accumulate and steps must be at least 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise ValueError(f"the learning rate must be above 0, not {self.learning_rate}")
        if unknown := [name for name in self.stages or () if name not in row.stages]:
            raise ValueError(f"{method} has no stage {unknown[0]!r}; its stages are {', '.join(row.stages)}")
        if self.steps is not None and len(self.steps) not in {1, len(trained := self.trained(method))}:
            raise ValueError(
                f"steps for {len(self.steps)} stages, but {len(trained)} are trained ({', '.join(trained)}); "
                "give one number for all, or one for each"
            )
        if self.real is not None and Need.SCORES not in row.needs:
            others = " and ".join(methods_that_need(Need.SCORES))
            raise ValueError(f"{method} follows no score; a real score is for {others}")
        if self.teacher_cache is not None:
            self._check_cache(method, self.teacher_cache)
        if self.guidance is not None:
            self._check_guidance(method, *self.guidance)

    def _check_cache(self, method: str, count: int) -> None:
        if Need.TEACHER_STEPS not in METHODS[method].needs:
            others = ", ".join(methods_that_need(Need.TEACHER_STEPS))
            raise ValueError(f"{method} has no use for a teacher cache; a cache is for {others}")
        if count < FEWEST_TEACHER_STEPS:
            raise ValueError(
                f"a teacher cache must hold at least {FEWEST_TEACHER_STEPS} steps, one from each time of the solver, "
                f"not {count}"
            )

    def _check_guidance(self, method: str, low: float, high: float) -> None:
        usual = METHODS[method].guidance
        if usual is None:
            raise ValueError(f"{method} has no guided teacher, so there is no guidance to choose")
        if not 0 <= low <= high <= MOST_GUIDANCE:
            raise ValueError(f"guidance must rise, between 0 and {MOST_GUIDANCE:g}, not {low:g},{high:g}")
        if usual[0] == usual[1] and low != high:
            raise ValueError(f"{method} has one guidance scale, not a range; give one number")

    def trained(self, method: str) -> tuple[str, ...]:
        """Names of the stages that are trained, in the method's order."""
        return tuple(name for name in METHODS[method].stages if self.stages is None or name in self.stages)

    def steps_of(self, method: str, stage: str, usual: int) -> int:
        """Steps of a stage that has `usual` if nothing is chosen."""
        if self.steps is None:
            return usual
        return self.steps[0] if len(self.steps) == 1 else self.steps[self.trained(method).index(stage)]

    def guidance_of(self, method: str) -> tuple[float, float]:
        """Range of the teacher's guidance scale.

        Raises:
            ValueError: the method has no guided teacher.
        """
        chosen = self.guidance or METHODS[method].guidance
        if chosen is None:
            raise ValueError(f"{method} has no guided teacher")
        return chosen
