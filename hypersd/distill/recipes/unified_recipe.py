"""Recipe of the unified adapter: one segment and one step at once, from an adapter of few steps.

The first stage draws near to what the few-step student makes of the same noise; the second is the paper's one-step
enhancement, by the score of the model that it started from.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.one_step import OneStepConfig, OneStepDistillation, OneStepStage
from hypersd.distill.student import Student
from hypersd.distill.tscd import TrajectorySegmentedConsistency, TSCDConfig, TSCDStage
from hypersd.distill.unified import UnifiedBatches, UnifiedDistillation
from hypersd.training.adapters import load_adapter


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedStage:
    """One stage: its trajectories, its one-step part, and the rate of both."""

    trajectories: TSCDStage
    one_step: OneStepStage
    learning_rate: float


STAGES = (
    UnifiedStage(
        trajectories=TSCDStage(segments=1, steps=800),
        one_step=OneStepStage(name="regression", steps=800, learning_rate=3e-4),
        learning_rate=3e-4,
    ),
    UnifiedStage(
        trajectories=TSCDStage(segments=1, steps=300),
        one_step=OneStepStage(name="unified", steps=300, learning_rate=1e-4, score=1.0, fidelity=0.25),
        learning_rate=1e-4,
    ),
)


def train(task: DistillationTask) -> None:
    """Train the stages of `STAGES`; each leaves its average student."""
    student = task.student
    load_adapter(student.unet, task.few_steps)
    pairs, drawn = task.pairs()
    scenes, encoded = task.scenes()
    for stage in STAGES:
        name = stage.one_step.name
        fake = (
            Student(student.source, few_steps=task.few_steps, device=student.device) if stage.one_step.score else None
        )
        trajectories = TrajectorySegmentedConsistency(
            student, stage.trajectories, TSCDConfig(learning_rate=stage.learning_rate)
        )
        last = student.schedule.num_train_timesteps - 1
        one_step = OneStepDistillation(student, stage.one_step, fake, OneStepConfig(time=last))
        objective = UnifiedDistillation(trajectories, one_step)
        batches = UnifiedBatches(scenes, pairs)
        task.train(name, stage.one_step.steps, objective, batches, data={"scenes": encoded, "pairs": drawn})
        task.keep(name, trajectories.average)
