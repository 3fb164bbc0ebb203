"""Recipe of latent consistency distillation (LCM, Luo et al. 2023), as the public LCM-LoRA training has it.

A grid of 50 solver steps, jumps to the clean end alone, and a pseudo-Huber distance. It has as many steps as TSCD's
stages together, so that the two can be compared.
"""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.recipes.tscd_recipe import train_stages
from hypersd.distill.tscd import STAGES, TSCDConfig, TSCDStage


def train(task: DistillationTask) -> None:
    """Train the only stage, from the base."""
    stage = TSCDStage(segments=1, steps=sum(stage.steps for stage in STAGES), ends="clean")
    train_stages(task, [stage], TSCDConfig(solver_steps=50, guidance=task.guidance, huber=1e-3))
