"""SDXL is told how large pictures were and where they were cropped, by the student and by its teachers alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hypersd.distill.lightning import LightningStage, ProgressiveAdversarial
from hypersd.distill.rectified_flow import PiecewiseRectifiedFlow
from hypersd.distill.student import Student
from hypersd.distill.tscd import TrajectorySegmentedConsistency, TSCDConfig, TSCDStage
from hypersd.distill.turbo import AdversarialDiffusion
from hypersd.training.data import CaptionedLatents, LatentBatches
from hypersd.training.objective import Objective
from tests.distill.conftest import step
from tests.families import write_clip

SIZES = torch.tensor([[1024, 1536, 0, 256], [900, 700, 100, 0], [640, 640, 0, 0], [2000, 1000, 500, 0]])
OBJECTIVES: dict[str, Callable[[Student], Objective[CaptionedLatents]]] = {
    "tscd": lambda student: TrajectorySegmentedConsistency(
        student, TSCDStage(segments=1, steps=1, adversarial=0.3, one_step=0.5)
    ),
    "cfg": lambda student: TrajectorySegmentedConsistency(
        student, TSCDStage(segments=8, steps=1), TSCDConfig(guidance=None)
    ),
    "lightning from the base": lambda student: ProgressiveAdversarial(
        student, LightningStage(name="first", teacher_steps=4, student_steps=2, steps=1), None
    ),
    "lightning from a stage": lambda student: ProgressiveAdversarial(
        student,
        LightningStage(name="next", teacher_steps=2, student_steps=1, steps=1, adversarial=0.1),
        [weight.detach().clone() for weight in student.weights],
    ),
    "perflow": PiecewiseRectifiedFlow,
    "turbo": AdversarialDiffusion,
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_call_of_a_unet_has_the_sizes_of_its_pictures(
    student: Student, folder: Path, scenes: LatentBatches, name: str
) -> None:
    if name == "turbo" and not (folder / "clip").exists():
        write_clip(folder / "clip")
    objective = OBJECTIVES[name](student)
    seen: list[Tensor] = []

    def remember(_module: Any, _args: Any, keywords: dict[str, Any]) -> None:
        seen.append(keywords["added_cond_kwargs"]["time_ids"])

    student.unet.register_forward_pre_hook(remember, with_kwargs=True)
    batch = replace(scenes(step()), sizes=SIZES)
    objective.loss("student", batch, step())
    assert len(seen) > 1, "a student and a teacher"
    wanted = torch.cat([SIZES, torch.full((4, 2), student.pixels)], dim=1).float()
    rows = {tuple(row) for ids in seen for row in ids.tolist()}
    assert rows == {tuple(row) for row in wanted.tolist()}
    seen.clear()
    objective.loss("student", replace(batch, sizes=None), step())
    assert {tuple(row) for ids in seen for row in ids.tolist()} == {
        (student.pixels, student.pixels, 0, 0) + (student.pixels,) * 2
    }
