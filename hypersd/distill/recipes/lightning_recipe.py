"""Recipe of SDXL-Lightning: the base model's steps are halved stage by stage."""

from __future__ import annotations

from torch import Tensor

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.lightning import STAGES, LightningConfig, ProgressiveAdversarial


def train(task: DistillationTask) -> None:
    """Train the stages of `STAGES`; the teacher of each is the last stage of as many steps, or the base model."""
    scenes, data = task.scenes()
    finished: dict[int, list[Tensor]] = {}
    config = LightningConfig(guidance_scale=task.guidance[0])
    for stage in task.trained(STAGES):
        teacher = finished.get(stage.teacher_steps)  # None for the first stage: the base model
        objective = ProgressiveAdversarial(task.student, stage, teacher, config)
        task.train(stage.name, stage.steps, objective, scenes, data=data, ema_decay=0.97)
        finished[stage.student_steps] = [weight.detach().clone() for weight in task.student.weights]
        task.keep(stage.name, task.student.weights)
