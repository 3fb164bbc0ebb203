"""A dry run's memory is that of a real run, and its recipe the one that would be trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from hypersd.distill import one_step
from hypersd.distill.distillation_options import DistillationOptions
from hypersd.distill.dry_run import dry_run
from hypersd.distill.one_step import OneStepDistillation
from hypersd.distill.score_models import ScoreModels
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSampleBatches
from hypersd.distill.tscd import STAGES, TrajectorySegmentedConsistency
from hypersd.emoji.scenes import TrainingScenes
from hypersd.models.blueprint import Blueprint
from hypersd.models.model_source import ModelSource
from hypersd.training.data import LatentBatches
from tests.distill.conftest import step


@pytest.mark.parametrize(
    ("method", "stage", "checkpointed"),
    [
        ("tscd", "segments-8", False),
        ("tscd", "segments-8", True),
        ("tscd", "segments-1", False),
        ("one-step", "score", False),
    ],
)
def test_a_dry_run_s_memory_is_that_of_a_real_step(
    folder: Path, examples: TrainingScenes, scenes: LatentBatches, method: str, stage: str, *, checkpointed: bool
) -> None:
    options = DistillationOptions(gradient_checkpointing=checkpointed, stages=(stage,))
    blueprint = Blueprint.of_folder(folder, plain_attention=True)
    (plan,) = dry_run(method, blueprint, batch_size=8, options=options)
    student = Student(ModelSource(folder), gradient_checkpointing=checkpointed)
    averages = [weight.detach().clone() for weight in student.weights]
    if method == "tscd":
        (chosen,) = (each for each in STAGES if each.name == stage)
        objective, scores = TrajectorySegmentedConsistency(student, chosen), None
        batches = LatentBatches(examples, scenes.latents, 8)
    else:
        scores = ScoreModels.start(student, folder / "adapters" / "hyper.safetensors")
        objective = OneStepDistillation(student, one_step.STAGES[1], scores)
        batches = TeacherSampleBatches(examples, scenes.latents, 8)
    student.text.conditioning(["", *(examples.caption(index, step().rng) for index in range(16))])
    optimizers = {network.name: torch.optim.AdamW(network.parameters) for network in objective.networks}
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        batch = batches(step())
        for network in objective.networks:
            objective.loss(network.name, batch, step())["loss"].backward(inputs=network.parameters)
            for weight in network.parameters:
                weight.grad = None
    for network in objective.networks:
        for weight in network.parameters:
            weight.grad = torch.zeros_like(weight)
        optimizers[network.name].step()
    state = [
        value for optimizer in optimizers.values() for slots in optimizer.state.values() for value in slots.values()
    ]
    parts = [getattr(student.pipeline, name) for name in ("unet", "vae", "text_encoder", "text_encoder_2")]
    parts += [network.module for network in objective.networks[1:] if network.module is not student.unet]
    weights = [tensor for part in parts for tensor in (*part.parameters(), *part.buffers())]
    weights += scores.consistency or [] if scores else []
    trained = [weight for network in objective.networks for weight in network.parameters]
    assert plan.weights == pytest.approx(nbytes(weights), rel=0.01)
    assert plan.trained == nbytes(trained)
    assert plan.optimizer == pytest.approx(nbytes(state) + nbytes(averages), rel=0.01)
    assert plan.activations == pytest.approx(peak(profiled), rel=0.1)


def nbytes(tensors: list[torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


def peak(profiled: profile) -> int:
    """The most bytes that PyTorch's allocator had given out, beyond those at first."""
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    now, most = 0, 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def test_a_dry_run_tells_the_recipe_with_what_was_chosen(folder: Path) -> None:
    options = DistillationOptions(
        rank=2, learning_rate=1e-5, stages=("segments-2", "segments-8"), steps=(7, 9), teacher_cache=100
    )
    plans = dry_run("tscd", Blueprint.of_folder(folder), batch_size=2, options=options)
    assert [(plan.name, plan.steps) for plan in plans] == [("segments-8", 7), ("segments-2", 9)]
    assert plans[1].rates == {"student": 1e-5, "discriminator": 1e-4}


def test_passes_and_checkpoints_save_memory_and_a_rank_takes_some(folder: Path) -> None:
    def plan(**options: object) -> int:
        chosen = DistillationOptions(**{"stages": ("segments-8",), **options})  # type: ignore[arg-type]
        return dry_run("tscd", Blueprint.of_folder(folder), batch_size=8, options=chosen)[0].total

    assert plan(accumulate=4) < 0.8 * plan()
    assert plan(gradient_checkpointing=True) < 0.8 * plan()
    assert plan(rank=32) > plan()
    assert plan(optimizer="adamw8bit") < plan()


@pytest.mark.parametrize(
    ("family", "unet", "adapter"),
    # Parameters in millions: of the published UNets, and of LCM-LoRA's files of rank 64.
    [("sdxl", 2567.46, 196.75), ("sd15", 859.52, 67.25)],
)
def test_the_published_families_have_their_published_sizes(family: str, unet: float, adapter: float) -> None:
    with torch.device("meta"):
        student = Student(Blueprint.of_family(family), rank=64, device=torch.device("meta"))
    trained = sum(weight.numel() for weight in student.weights)
    assert trained / 1e6 == pytest.approx(adapter, abs=0.01)
    assert (sum(weight.numel() for weight in student.unet.parameters()) - trained) / 1e6 == pytest.approx(
        unet, abs=0.01
    )
