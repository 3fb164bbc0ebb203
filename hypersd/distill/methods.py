"""Run a distillation method on a family that lives in a folder: `python -m hypersd distill METHOD`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from torch import Tensor

from hypersd.distill import backward, lightning, one_step, tscd, turbo
from hypersd.distill.student import Student
from hypersd.distill.teacher_samples import TeacherSampleBatches, sample_teacher
from hypersd.models.loading import ModelSource
from hypersd.training.adapters import copy_weights, load_adapter, save_adapter
from hypersd.training.data import CaptionedData, LatentBatches, encode
from hypersd.training.objective import Objective, StepContext
from hypersd.training.precision import half_precision
from hypersd.training.records import RECORD, hash_file, hash_folder, open_record
from hypersd.training.trainer import Trainer, TrainingConfig, grids
from hypersd.utils.readers import read_array

AnyBatch = TypeVar("AnyBatch")

SCENES = 16_000

PAIRS = 12_000
PAIR_STEPS = 8
"""Pairs that a one-step student learns from, and steps in which its teacher draws them."""

JUMPS = 2_000
"""Of how many trajectories of its own a student learns the jumps."""

SAMPLE_PROMPTS = 8

_GO_ON = ("backward", "one-step")
"""Methods that start from an adapter of few steps."""

_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")


@dataclass(frozen=True, kw_only=True)
class DistillationTask:
    """One distillation: the student, its data, and where the results go.

    Args:
        examples: what is trained on.
        data: the folder that has, or is to have, the examples as the student sees them.
        few_steps: the adapter that `backward` and `one-step` start from.
        shorten: factor on every stage's number of steps, and on how many examples are prepared.
    """

    student: Student
    examples: CaptionedData
    data: Path
    batch_size: int
    out: Path
    few_steps: Path
    seed: int = 0
    shorten: float = 1.0

    def scenes(self) -> tuple[LatentBatches, str]:
        """Batches of encoded examples, and a hash of them; they are encoded if the folder has none."""

        def encoder(pictures: Tensor) -> Tensor:
            with half_precision(self.student.device):
                return self.student.latents(pictures.to(self.student.device))

        file, count = self._file("latents.npy"), self._count(SCENES)
        with PartialState().main_process_first():
            encode(self.examples, encoder, file, count=count)
        latents = read_array(file, self.student.latent_shape, "latents of pictures")
        return LatentBatches(self.examples, latents, self.batch_size), hash_file(file)

    def pairs(self) -> tuple[TeacherSampleBatches, str]:
        """Batches of noise and what the student, as it is now, draws from it, and a hash of them."""
        file, count = self._file("pairs.npy"), self._count(PAIRS)
        with PartialState().main_process_first():
            sample_teacher(self.examples, self.student, file, steps=PAIR_STEPS, count=count)
        clean = read_array(file, self.student.latent_shape, "pictures of a teacher")
        return TeacherSampleBatches(self.examples, clean, self.batch_size), hash_file(file)

    def jumps(self, config: backward.BackwardConfig) -> tuple[backward.JumpBatches, str]:
        """Batches of the jumps of the student as it is now, and a hash of them."""
        file, count = self._file("jumps.npy"), self._count(JUMPS)
        with PartialState().main_process_first():
            backward.draw_jumps(self.examples, self.student, file, count=count, config=config)
        shape = (len(config.shares), 2, *self.student.latent_shape)
        drawn = read_array(file, shape, "the jumps of a student")
        return backward.JumpBatches(self.examples, self.student, drawn, self.batch_size, config), hash_file(file)

    def _count(self, number: int) -> int:
        return max(self.batch_size, round(number * self.shorten))

    def _file(self, name: str) -> Path:
        """Path of a file of examples, old or new: a short training writes no small file where a whole one looks."""
        file = self.data / name
        return file if file.exists() or self.shorten == 1 else self.out / name

    def train(
        self,
        name: str,
        steps: int,
        objective: Objective[AnyBatch],
        batches: Callable[[StepContext], AnyBatch],
        *,
        data: str,
        ema_decay: float | None = None,
    ) -> None:
        """Train one stage, from its last checkpoint if it has one; `data` is a hash of what it is trained on."""
        total = max(1, round(steps * self.shorten))
        config = TrainingConfig(
            out=self.out / name,
            steps=total,
            seed=self.seed,
            warmup=20,
            decay_from=0.6,
            ema_decay=ema_decay,
            sample_every=grids(total),
        )
        Trainer(config).run(objective, batches, data=data)
        # The next stage's first weights are then the same, whether this one was broken off or not.
        torch.manual_seed(self.seed)

    def keep(self, name: str, weights: Sequence[Tensor]) -> None:
        """Go on with these weights, and write them to `out/NAME.safetensors`."""
        copy_weights(self.student.weights, weights)
        if PartialState().is_main_process:
            save_adapter(self.student.unet, self.out / f"{name}.safetensors")


def _tscd(task: DistillationTask) -> None:
    scenes, data = task.scenes()
    for stage in tscd.STAGES:
        objective = tscd.TrajectorySegmentedConsistency(task.student, stage)
        task.train(f"segments-{stage.segments}", stage.steps, objective, scenes, data=data)
        task.keep(f"segments-{stage.segments}", objective.average)


def _lightning(task: DistillationTask) -> None:
    scenes, data = task.scenes()
    finished: dict[int, list[Tensor]] = {}
    for stage in lightning.STAGES:
        teacher = finished.get(stage.teacher_steps)  # None for the first stage: the base model
        objective = lightning.ProgressiveAdversarial(task.student, stage, teacher)
        task.train(stage.name, stage.steps, objective, scenes, data=data, ema_decay=0.97)
        finished[stage.student_steps] = [weight.detach().clone() for weight in task.student.weights]
        task.keep(stage.name, task.student.weights)


def _turbo(task: DistillationTask) -> None:
    scenes, data = task.scenes()
    objective = turbo.AdversarialDiffusion(task.student)
    task.train("turbo", objective.config.steps, objective, scenes, data=data, ema_decay=0.98)
    task.keep("turbo", task.student.weights)


def _backward(task: DistillationTask) -> None:
    load_adapter(task.student.unet, task.few_steps)
    config = backward.BackwardConfig()
    jumps, data = task.jumps(config)
    objective = backward.BackwardDistillation(task.student, config)
    task.train("backward", config.steps, objective, jumps, data=data, ema_decay=0.98)
    task.keep("backward", task.student.weights)


def _one_step(task: DistillationTask) -> None:
    load_adapter(task.student.unet, task.few_steps)
    pairs, data = task.pairs()
    for stage in one_step.STAGES:
        student = task.student
        fake = Student(student.source, few_steps=task.few_steps, device=student.device) if stage.score else None
        objective = one_step.OneStepDistillation(student, stage, fake)
        task.train(stage.name, stage.steps, objective, pairs, data=data, ema_decay=0.98)
        task.keep(stage.name, task.student.weights)


@dataclass(frozen=True, slots=True)
class DistillationMethod:
    """Description of a method: its training, its scenes per step, and the names of its stages."""

    train: Callable[[DistillationTask], None]
    batch_size: int
    stages: tuple[str, ...]


METHODS = {
    "tscd": DistillationMethod(_tscd, 32, tuple(f"segments-{stage.segments}" for stage in tscd.STAGES)),
    "backward": DistillationMethod(_backward, 32, ("backward",)),
    "one-step": DistillationMethod(_one_step, 40, tuple(stage.name for stage in one_step.STAGES)),
    "lightning": DistillationMethod(_lightning, 24, tuple(stage.name for stage in lightning.STAGES)),
    "turbo": DistillationMethod(_turbo, 16, ("turbo",)),
}


def distill(
    method: str,
    *,
    folder: Path,
    examples: CaptionedData,
    out: Path,
    data: Path | None = None,
    adapter: Path | None = None,
    resume: bool = False,
    shorten: float = 1.0,
    batch_size: int | None = None,
    seed: int = 0,
) -> None:
    """Distil the base model in `folder` and write adapters (diffusers format) and logs to `out`.

    Args:
        method: one of `METHODS`.
        folder: of a diffusers pipeline of SDXL's shape.
        examples: what is trained on.
        out: where everything goes.
        data: a folder with `latents.npy`, as `hypersd emoji train` leaves it, or with the `jumps.npy` or `pairs.npy`
            of an earlier `backward` or `one-step`; what is missing is made there, without it, or shortened, in `out`.
        adapter: of few steps, for `backward` and `one-step` to start from; None means the folder's own hyper.
        resume: go on from what `out` holds; without it, `out` must be new.
        shorten: factor on every stage's number of steps and on the examples, for a quick look.
        batch_size: scenes a step; None means the method's own.
        seed: of every random number.

    Raises:
        ValueError: the method is unknown; or `out` already holds a training and `resume` is false, or holds one with
            other settings.
        OSError: the folder has no base model, the data is missing, or `out` cannot be written.
        DivergedError: a loss is not finite; the last checkpoint is as it was.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; the methods are {', '.join(METHODS)}")
    trained = any(out.glob("*/state/state.json"))
    if not resume and (trained or (out / RECORD).exists()):
        raise ValueError(f"{out} already holds a training; add --resume to go on with it, or choose another folder")
    few_steps = adapter or folder / "adapters" / "hyper.safetensors"
    chosen, state = METHODS[method], PartialState()
    configuration: dict[str, Any] = {
        "method": method,
        "seed": seed,
        "shorten": shorten,
        "batch_size": batch_size or chosen.batch_size,
        "adapter": hash_file(few_steps) if method in _GO_ON else None,
        "family": {part: hash_folder(folder / part) for part in _PARTS},
        "examples": examples.fingerprint,
    }
    open_record(out, configuration, trained=trained, main=state.is_main_process)
    torch.manual_seed(seed)
    prompts = examples.held_out_prompts(SAMPLE_PROMPTS)
    student = Student(ModelSource(folder), device=state.device or torch.device("cpu"), sample_prompts=prompts)
    chosen.train(
        DistillationTask(
            student=student,
            examples=examples,
            data=data or out,
            batch_size=batch_size or chosen.batch_size,
            out=out,
            few_steps=few_steps,
            seed=seed,
            shorten=shorten,
        )
    )
