"""Recipe of the CFG-preserved adapters for 12 and 8 steps, whose guidance and negative prompt still work.

Their training was never published. As in PCM (Wang et al. 2024) the teacher is not guided and some captions are empty,
so that the student learns both predictions that guidance combines.
"""

from __future__ import annotations

from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.recipes.tscd_recipe import train_stages
from hypersd.distill.tscd import TSCDConfig, TSCDStage

STAGES = (TSCDStage(segments=12, steps=300), TSCDStage(segments=8, steps=300))


def train(task: DistillationTask) -> None:
    """Train 12 segments, then 8, on a grid that both divide."""
    train_stages(task, STAGES, TSCDConfig(solver_steps=48, guidance=None))
