"""Recipe of PeRFlow: one stage."""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.rectified_flow import PeRFlowConfig, PiecewiseRectifiedFlow


def train(task: DistillationTask) -> None:
    """Train the only stage, from the base."""
    scenes, data = task.scenes()
    objective = PiecewiseRectifiedFlow(task.student, PeRFlowConfig(guidance=task.guidance[0]))
    task.train("perflow", objective.config.steps, objective, scenes, data=data, ema_decay=0.98)
    task.keep("perflow", task.student.weights)
