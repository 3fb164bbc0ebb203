"""Recipe of trajectory consistency distillation (TCD, Zheng et al. 2024): TSCD's objective with one segment at once.

It has as many steps as TSCD's stages together, so that the two can be compared.
"""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.recipes.tscd_recipe import train_stages
from hypersd.distill.tscd import STAGES, TSCDConfig, TSCDStage


def train(task: DistillationTask) -> None:
    """Train the only stage, from the base."""
    stage = TSCDStage(segments=1, steps=sum(stage.steps for stage in STAGES))
    train_stages(task, [stage], TSCDConfig(guidance=task.guidance))
