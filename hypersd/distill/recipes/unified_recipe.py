"""Recipe of the unified adapter: one segment and one step at once, from an adapter of few steps.

The first stage regresses to the few-step student's pictures of the same noise; the second is the paper's one-step
enhancement, with the score of the initial model.
"""

from __future__ import annotations

from dataclasses import replace

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.one_step import OneStepConfig, OneStepDistillation, OneStepStage
from hypersd.distill.tscd import TrajectorySegmentedConsistency, TSCDConfig, TSCDStage
from hypersd.distill.unified import UnifiedBatches, UnifiedDistillation

STAGES = (
    OneStepStage(name="regression", steps=800, learning_rate=3e-4),
    OneStepStage(name="unified", steps=300, learning_rate=1e-4, score=1.0, fidelity=0.25),
)


def train(task: DistillationTask) -> None:
    """Train the stages of `STAGES`; each writes its average student."""
    task.load_few_steps()
    student = task.student
    pairs, drawn = task.pairs()
    along = TSCDConfig(guidance=task.guidance)
    scenes, encoded = task.stage_batches(along)
    config = OneStepConfig(real=task.options.real or "consistency")
    for stage in task.trained(STAGES):
        trajectories = TrajectorySegmentedConsistency(
            student,
            TSCDStage(segments=1, steps=stage.steps),
            replace(along, learning_rate=stage.learning_rate),
        )
        scores, feedback = (task.scores(), task.feedback) if stage.score else (None, None)
        one_step = OneStepDistillation(student, stage, scores, config, feedback)
        objective = UnifiedDistillation(trajectories, one_step)
        batches = UnifiedBatches(scenes(trajectories.grid), pairs)
        task.train(stage.name, stage.steps, objective, batches, data={"scenes": encoded, "pairs": drawn})
        task.keep(stage.name, trajectories.average)
