"""Recipe of one-step enhancement: a regression on pairs, then score distillation."""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.one_step import STAGES, OneStepDistillation


def train(task: DistillationTask) -> None:
    """Train the stages of `STAGES`, from an adapter of few steps."""
    task.load_few_steps()
    pairs, data = task.pairs()
    for stage in task.trained(STAGES):
        objective = OneStepDistillation(task.student, stage, task.few_steps_student() if stage.score else None)
        task.train(stage.name, stage.steps, objective, pairs, data=data, ema_decay=0.98)
        task.keep(stage.name, task.student.weights)
