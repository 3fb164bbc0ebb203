"""The unified adapter learns trajectories and one step at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hypersd.distill.one_step import OneStepConfig, OneStepDistillation, OneStepStage
from hypersd.distill.score_models import ScoreModels
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSampleBatches
from hypersd.distill.tscd import TrajectorySegmentedConsistency, TSCDStage
from hypersd.distill.unified import UnifiedBatches, UnifiedDistillation
from hypersd.training.data import LatentBatches
from tests.distill.conftest import step


@pytest.fixture
def batches(scenes: LatentBatches) -> UnifiedBatches:
    clean = np.random.default_rng(1).standard_normal((6, 12, 16, 16)).astype(np.float16)
    return UnifiedBatches(scenes, TeacherSampleBatches(scenes.data, clean, batch_size=3))


def test_the_student_s_loss_is_the_sum_of_both(student: Student, batches: UnifiedBatches) -> None:
    trajectories = TrajectorySegmentedConsistency(student, TSCDStage(segments=1, steps=1, adversarial=0.5))
    stage = OneStepStage(name="score", steps=1, learning_rate=1e-3, score=1.0)
    one_step = OneStepDistillation(student, stage, ScoreModels.start(student), OneStepConfig(time=999))
    objective = UnifiedDistillation(trajectories, one_step, weight=2.0)
    assert [network.name for network in objective.networks] == ["student", "discriminator", "fake"]
    batch = batches(step())
    together = objective.loss("student", batch, step(5))
    context = step(5)
    along = trajectories.loss("student", batch.scenes, context)["loss"]
    alone = one_step.loss("student", batch.pairs, context)
    torch.testing.assert_close(together["loss"], along + 2 * alone["loss"])
    torch.testing.assert_close(together["one_step_mse"], alone["mse"])
    memory: dict[str, dict[str, object]] = {}
    with objective.remember(memory):
        objective.loss("student", batch, step(6))
    assert trajectories.last_jump is memory["TrajectorySegmentedConsistency"]["last_jump"]
    assert one_step.last_student_output is memory["OneStepDistillation"]["last_student_output"]
    for name in ("discriminator", "fake"):
        assert torch.isfinite(objective.loss(name, batch, step())["loss"])
    assert objective.configuration()["one_step"] != objective.configuration()["trajectories"]
