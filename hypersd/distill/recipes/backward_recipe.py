"""Recipe of backward distillation: one stage, from a few-step adapter, on the student's own jumps."""

from __future__ import annotations

from hypersd.distill.backward import BackwardConfig, BackwardDistillation
from hypersd.distill.distillation_task import DistillationTask


def train(task: DistillationTask) -> None:
    """Train the only stage."""
    task.load_few_steps()
    config = BackwardConfig(guidance=task.guidance[0])
    jumps, data = task.jumps(config)
    objective = BackwardDistillation(task.student, config)
    task.train("backward", config.steps, objective, jumps, data=data, ema_decay=0.98)
    task.keep("backward", task.student.weights)
