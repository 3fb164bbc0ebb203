"""Recipe of SDXL-Turbo: one stage."""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.turbo import AdversarialDiffusion, TurboConfig


def train(task: DistillationTask) -> None:
    """Train the only stage."""
    scenes, data = task.scenes()
    objective = AdversarialDiffusion(task.student, TurboConfig(guidance_scale=task.guidance[0]))
    task.train("turbo", objective.config.steps, objective, scenes, data=data, ema_decay=0.98)
    task.keep("turbo", task.student.weights)
