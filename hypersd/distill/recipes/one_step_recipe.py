"""Recipe of one-step enhancement: a regression on pairs, then score distillation."""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.one_step import STAGES, OneStepConfig, OneStepDistillation


def train(task: DistillationTask) -> None:
    """Train the stages of `STAGES`, from an adapter of few steps."""
    task.load_few_steps()
    pairs, data = task.pairs()
    config = OneStepConfig(real=task.options.real or "consistency")
    for stage in task.trained(STAGES):
        scores, feedback = (task.scores(), task.feedback) if stage.score else (None, None)
        objective = OneStepDistillation(task.student, stage, scores, config, feedback)
        task.train(stage.name, stage.steps, objective, pairs, data=data, ema_decay=0.98)
        task.keep(stage.name, task.student.weights)
