"""Recipe of one-step enhancement: a regression on pairs, then score distillation."""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.one_step import STAGES, OneStepDistillation
from hypersd.distill.student import Student
from hypersd.training.adapters import load_adapter


def train(task: DistillationTask) -> None:
    """Train the stages of `STAGES`, from an adapter of few steps."""
    student = task.student
    load_adapter(student.unet, task.few_steps)
    pairs, data = task.pairs()
    for stage in STAGES:
        fake = Student(student.source, few_steps=task.few_steps, device=student.device) if stage.score else None
        objective = OneStepDistillation(student, stage, fake)
        task.train(stage.name, stage.steps, objective, pairs, data=data, ema_decay=0.98)
        task.keep(stage.name, student.weights)
