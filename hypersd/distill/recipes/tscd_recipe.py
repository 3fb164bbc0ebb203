"""Recipe of TSCD: 8, 4, 2 and 1 segments, each stage from the average student of the stage before."""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.tscd import STAGES, TrajectorySegmentedConsistency, TSCDConfig


def train(task: DistillationTask) -> None:
    """Train the stages of `STAGES`; each leaves its average student."""
    scenes, data = task.scenes()
    config = TSCDConfig(guidance=task.guidance)
    for stage in task.trained(STAGES):
        objective = TrajectorySegmentedConsistency(task.student, stage, config)
        task.train(stage.name, stage.steps, objective, scenes, data=data)
        task.keep(stage.name, objective.average)
