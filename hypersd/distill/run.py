"""Run a distillation method on a family that lives in a folder: `python -m hypersd distill METHOD`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from hypersd.distill import backward, lightning, one_step, tscd, turbo
from hypersd.distill.pairs import PairBatches, draw_pairs
from hypersd.distill.student import Student
from hypersd.emoji.latents import LatentScenes, encode_scenes
from hypersd.emoji.world import World
from hypersd.models.loading import Source
from hypersd.readers import read_array
from hypersd.training.adapters import load_adapter, restore, save_adapter
from hypersd.training.trainer import Objective, Step, Trainer, TrainingConfig

Batch = TypeVar("Batch")

SCENES = 16_000

PAIRS = 12_000
PAIR_STEPS = 8
"""How many pairs a one-step student learns from, and in how many steps its teacher draws them."""

JUMPS = 2_000
"""Of how many trajectories of its own a student learns the jumps."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One distillation: the student, its data, and where the results go.

    Args:
        world: what the scenes show.
        data: the folder that has, or is to have, what is trained on.
        few_steps: the adapter that `backward` and `one-step` start from.
        shorten: factor on every stage's number of steps, and on how many pairs and trajectories are drawn.
    """

    student: Student
    world: World
    data: Path
    batch_size: int
    out: Path
    few_steps: Path
    seed: int = 0
    shorten: float = 1.0

    def scenes(self) -> LatentScenes:
        """Batches of encoded scenes; they are drawn if the folder has none."""
        file = self.data / "latents.npy"
        encode_scenes(self.world, self.student.pipeline.vae, SCENES, file)
        return LatentScenes.open(self.world, file, self.batch_size, self.student.latent_shape)

    def pairs(self) -> PairBatches:
        """Batches of noise and what the student, as it is now, draws from it; it draws them if the folder has none."""
        file = self.data / "pairs.npy"
        count = max(self.batch_size, round(PAIRS * self.shorten))
        draw_pairs(self.world, self.student, file, steps=PAIR_STEPS, count=count)
        return PairBatches(
            self.world, read_array(file, self.student.latent_shape, "pictures of a teacher"), self.batch_size
        )

    def jumps(self, settings: backward.Settings) -> backward.JumpBatches:
        """Batches of the jumps of the student as it is now; it draws them if the folder has none."""
        file = self.data / "jumps.npy"
        count = max(self.batch_size, round(JUMPS * self.shorten))
        backward.draw_jumps(self.world, self.student, file, count=count, settings=settings)
        shape = (len(settings.shares), 2, *self.student.latent_shape)
        drawn = read_array(file, shape, "the jumps of a student")
        return backward.JumpBatches(self.world, self.student, drawn, self.batch_size, settings)

    def train(
        self,
        name: str,
        steps: int,
        objective: Objective[Batch],
        batches: Callable[[Step], Batch],
        ema_decay: float | None = None,
    ) -> None:
        """Train one stage, from its last checkpoint if it has one."""
        total = max(1, round(steps * self.shorten))
        config = TrainingConfig(
            out=self.out / name,
            steps=total,
            seed=self.seed,
            warmup=20,
            decay_from=0.6,
            ema_decay=ema_decay,
            sample_every=max(1, total // 4),
        )
        Trainer(config).run(objective, batches)

    def keep(self, name: str, weights: Sequence[Tensor]) -> None:
        """Go on with these weights, and write them to `out/NAME.safetensors`."""
        restore(self.student.weights, weights)
        save_adapter(self.student.unet, self.out / f"{name}.safetensors")


def _tscd(task: Task) -> None:
    scenes = task.scenes()
    for stage in tscd.STAGES:
        objective = tscd.TrajectorySegmentedConsistency(task.student, stage)
        task.train(f"segments-{stage.segments}", stage.steps, objective, scenes)
        task.keep(f"segments-{stage.segments}", objective.average)


def _lightning(task: Task) -> None:
    scenes = task.scenes()
    finished: dict[int, list[Tensor]] = {}
    for stage in lightning.STAGES:
        teacher = finished.get(stage.teacher_steps)  # None for the first stage: the base model
        objective = lightning.ProgressiveAdversarial(task.student, stage, teacher)
        task.train(stage.name, stage.steps, objective, scenes, 0.97)
        finished[stage.student_steps] = [weight.detach().clone() for weight in task.student.weights]
        task.keep(stage.name, task.student.weights)


def _turbo(task: Task) -> None:
    task.train("turbo", turbo.Settings().steps, turbo.AdversarialDiffusion(task.student), task.scenes(), 0.98)
    task.keep("turbo", task.student.weights)


def _backward(task: Task) -> None:
    load_adapter(task.student.unet, task.few_steps)
    settings = backward.Settings()
    objective = backward.Backward(task.student, settings)
    task.train("backward", settings.steps, objective, task.jumps(settings), 0.98)
    task.keep("backward", task.student.weights)


def _one_step(task: Task) -> None:
    load_adapter(task.student.unet, task.few_steps)
    pairs = task.pairs()
    for stage in one_step.STAGES:
        fake = Student(task.student.source, few_steps=task.few_steps) if stage.score else None
        objective = one_step.OneStep(task.student, stage, fake)
        task.train(stage.name, stage.steps, objective, pairs, 0.98)
        task.keep(stage.name, task.student.weights)


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is trained, and on how many scenes a step."""

    train: Callable[[Task], None]
    batch_size: int


METHODS = {
    "tscd": Method(_tscd, 32),
    "backward": Method(_backward, 32),
    "one-step": Method(_one_step, 40),
    "lightning": Method(_lightning, 24),
    "turbo": Method(_turbo, 16),
}


def distill(
    method: str,
    *,
    folder: Path,
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
        folder: a StableDiffusionXLPipeline folder with a `world.json`.
        out: where everything goes.
        data: a folder with `latents.npy`, as `hypersd emoji train` leaves it, or with the `jumps.npy` or `pairs.npy`
            of an earlier `backward` or `one-step`; what is missing is drawn there, without it into `out`.
        adapter: of few steps, for `backward` and `one-step` to start from; None means the folder's own hyper.
        resume: go on from what `out` holds; without it, `out` must be new.
        shorten: factor on every stage's number of steps, for a quick look.
        batch_size: scenes a step; None means the method's own.
        seed: of every random number.

    Raises:
        ValueError: the method is unknown, or `out` already holds a training and `resume` is false.
        OSError: the folder has no base model, the data is missing, or `out` cannot be written.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; the methods are {', '.join(METHODS)}")
    if not resume and any(out.glob("*/state/state.json")):
        raise ValueError(f"{out} already holds a training; add --resume to go on with it, or choose another folder")
    torch.manual_seed(seed)
    world, student = World.load(folder), Student(Source(folder))
    if data is None:
        out.mkdir(parents=True, exist_ok=True)
    chosen = METHODS[method]
    chosen.train(
        Task(
            student=student,
            world=world,
            data=data or out,
            batch_size=batch_size or chosen.batch_size,
            out=out,
            few_steps=adapter or folder / "adapters" / "hyper.safetensors",
            seed=seed,
            shorten=shorten,
        )
    )
