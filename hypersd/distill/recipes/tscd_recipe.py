"""Recipe of TSCD: 8, 4, 2 and 1 segments, each stage from the average student of the stage before."""

from __future__ import annotations

from collections.abc import Sequence

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.tscd import STAGES, TrajectorySegmentedConsistency, TSCDConfig, TSCDStage


def train(task: DistillationTask) -> None:
    """Train the stages of `STAGES`."""
    train_stages(task, STAGES, TSCDConfig(guidance=task.guidance))


def train_stages(task: DistillationTask, stages: Sequence[TSCDStage], config: TSCDConfig) -> None:
    """Train these stages in order; each writes its average student under its name."""
    batches, data = task.stage_batches(config)
    for stage in task.trained(stages):
        objective = TrajectorySegmentedConsistency(task.student, stage, config)
        task.train(stage.name, stage.steps, objective, batches(objective.grid), data=data)
        task.keep(stage.name, objective.average)
