"""The one-step student learns from what its teacher draws, and is moved along the difference of two scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from hypersd.distill.one_step import OneStepConfig, OneStepDistillation, OneStepStage
from hypersd.distill.score_models import FAKE, ScoreModels
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSampleBatches, TeacherSamples, caption_for, noise_for
from hypersd.emoji.scenes import TrainingScenes
from hypersd.models.model_source import ModelSource
from hypersd.training.adapters import adapter_weights, load_adapter, save_adapter
from hypersd.training.objective import StepContext
from hypersd.training.trainer import Trainer
from hypersd.training.training_config import TrainingConfig
from tests.distill.conftest import step


@pytest.fixture(scope="module")
def pairs(folder: Path, examples: TrainingScenes) -> TeacherSampleBatches:
    """Six pairs."""
    student = Student(ModelSource(folder), rank=2)
    captions = [caption_for(examples, index) for index in range(6)]
    noise = noise_for(range(6), student.latent_shape)
    clean = student.trajectory(noise, 2, student.text.conditioning(captions))
    return TeacherSampleBatches(examples, clean.numpy().astype(np.float16), batch_size=3)


def test_a_pair_is_its_index_noise_and_what_the_teacher_draws_of_it(folder: Path, pairs: TeacherSampleBatches) -> None:
    batch = pairs(step())
    assert batch.noise.shape == batch.clean.shape == (3, 12, 16, 16)
    student = Student(ModelSource(folder), rank=2)
    with torch.no_grad():
        drawn = student.trajectory(batch.noise, 2, student.text.conditioning(batch.captions))
    assert torch.allclose(drawn, batch.clean, atol=0.3), "in half precision"


def test_the_loss_is_the_error_of_the_picture_that_one_step_draws(folder: Path, pairs: TeacherSampleBatches) -> None:
    student = Student(ModelSource(folder), rank=2)
    objective = OneStepDistillation(student, OneStepStage(name="regression", steps=1, learning_rate=1e-3))
    batch = pairs(step())
    times = torch.full((3,), 800)
    with torch.no_grad():
        predicted = student.predict(batch.noise, times, student.text.conditioning(batch.captions))
    perfect = TeacherSamples(batch.noise, student.schedule.predict_x0(batch.noise, predicted, times), batch.captions)
    assert float(objective.loss("student", perfect, step())["loss"].detach()) == pytest.approx(0, abs=1e-8)
    assert float(objective.loss("student", batch, step())["loss"].detach()) > 0


def shaken(weights: Sequence[torch.Tensor], seed: int) -> None:
    """Give weights random values that change something."""
    generator = torch.Generator().manual_seed(seed)
    for weight in weights:
        torch.nn.init.normal_(weight, std=0.1, generator=generator)


def test_where_both_scores_agree_there_is_nothing_to_move(
    folder: Path, pairs: TeacherSampleBatches, tmp_path: Path
) -> None:
    student = Student(ModelSource(folder), rank=2)
    shaken(student.weights, 1)
    save_adapter(student.unet, tmp_path / "few.safetensors")
    shaken(student.weights, 2)
    stage = OneStepStage(name="score", steps=1, learning_rate=1e-3, score=1.0, fidelity=0.0)
    scores = ScoreModels.start(student, tmp_path / "few.safetensors")
    own = [weight.detach().clone() for weight in student.weights]
    objective = OneStepDistillation(student, stage, scores)
    assert [network.name for network in objective.networks] == ["student", "fake"]
    assert float(objective.loss("student", pairs(step()), step())["gap"]) == pytest.approx(0, abs=1e-6)
    fake = adapter_weights(student.unet, FAKE)
    shaken(fake, 0)
    losses = objective.loss("student", pairs(step()), step())
    assert float(losses["gap"]) > 1e-3
    losses["loss"].backward(inputs=objective.networks[0].parameters)
    assert all(weight.grad is None for weight in fake), "the copy only follows"
    assert all(torch.equal(weight, before) for weight, before in zip(student.weights, own, strict=True))


def test_the_copy_s_gradient_is_the_same_where_activations_are_computed_again(
    folder: Path, pairs: TeacherSampleBatches
) -> None:
    stage = OneStepStage(name="score", steps=1, learning_rate=1e-3, score=1.0)
    gradients: list[list[torch.Tensor]] = []
    for checkpointed in (False, True):
        student = Student(ModelSource(folder), rank=2, gradient_checkpointing=checkpointed)
        objective = OneStepDistillation(student, stage, ScoreModels.start(student))
        network = objective.networks[1]
        shaken(student.weights, 1)
        shaken(network.parameters, 2)
        objective.last_student_output = pairs(step()).clean
        loss = objective.loss("fake", pairs(step()), step())["loss"]
        loss.backward(inputs=network.parameters)
        gradients.append([weight.grad for weight in network.parameters if weight.grad is not None])
        assert all(weight.grad is None for weight in student.weights)
    assert len(gradients[0]) == len(network.parameters)
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain, rtol=1e-4, atol=1e-6)


def test_plain_dmd_follows_the_guided_base(folder: Path, pairs: TeacherSampleBatches) -> None:
    student = Student(ModelSource(folder), rank=2)
    stage = OneStepStage(name="score", steps=1, learning_rate=1e-3, score=1.0, fidelity=0.0)

    scores = ScoreModels.start(student)

    def gap(guidance: float) -> float:
        objective = OneStepDistillation(student, stage, scores, OneStepConfig(real="base", guidance=guidance))
        return float(objective.loss("student", pairs(step()), step())["gap"])

    assert gap(1.0) == pytest.approx(0, abs=1e-4), "unguided the base is where its copy begins"
    assert gap(8.0) > 1e-3


def test_feedback_moves_the_student_s_pictures(folder: Path, pairs: TeacherSampleBatches) -> None:
    student = Student(ModelSource(folder), rank=2)
    stage = OneStepStage(name="regression", steps=1, learning_rate=1e-3, fidelity=0.0)

    class Darkness:
        """A voter who likes dark pictures."""

        fingerprint = "darkness"

        def __call__(self, pictures: torch.Tensor, prompts: Sequence[str]) -> torch.Tensor:
            assert len(prompts) == len(pictures)
            return pictures.mean()

    objective = OneStepDistillation(student, stage, feedback=Darkness())
    losses = objective.loss("student", pairs(step()), step())
    torch.testing.assert_close(losses["loss"], objective.config.feedback * losses["feedback"])
    losses["loss"].backward(inputs=list(student.weights))
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in student.weights)


def test_the_copy_learns_several_times_a_step(folder: Path, pairs: TeacherSampleBatches, tmp_path: Path) -> None:
    student = Student(ModelSource(folder), rank=2)
    stage = OneStepStage(name="score", steps=1, learning_rate=1e-3, score=1.0)
    objective = OneStepDistillation(student, stage, ScoreModels.start(student), OneStepConfig(fake_updates=3))
    turns: list[str] = []
    learn = objective.loss

    def counted(network: str, batch: TeacherSamples, context: StepContext) -> Mapping[str, torch.Tensor]:
        turns.append(network)
        return learn(network, batch, context)

    objective.loss = counted
    Trainer(TrainingConfig(out=tmp_path, steps=2, cpu=True)).run(objective, pairs)
    assert turns == ["student", "fake", "fake", "fake"] * 2


def test_an_adapter_comes_back_and_a_strange_one_is_named(folder: Path, tmp_path: Path) -> None:
    student_a, other = Student(ModelSource(folder), rank=2), Student(ModelSource(folder), rank=2)
    for weight in student_a.weights:
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(1))
    save_adapter(student_a.unet, tmp_path / "one.safetensors")
    load_adapter(other.unet, tmp_path / "one.safetensors")
    for mine, loaded in zip(student_a.weights, other.weights, strict=True):
        assert torch.allclose(mine, loaded, atol=1e-2)
    with pytest.raises(ValueError, match="does not fit"):
        load_adapter(Student(ModelSource(folder), rank=3).unet, tmp_path / "one.safetensors")
