"""Cost of a TSCD step: against a plain loop in the manner of diffusers' LCM-LoRA scripts.

    python -m benchmarks.distill [--folder assets/emoji-xl] [--batch 8] [--rounds 3] [--steps 4] [--json]

The plain loop has UNets of their own for the teacher and the target, encodes its prompts at every step, asks the
teacher with and without the prompt in two calls, and leaves attention as PyTorch has it. All make the same jumps from
the same random numbers, so their losses must agree; all compute in float32, in turn, on one machine.

With a teacher cache a step reads the teacher's results. The cache costs the same two calls of the teacher for each of
its examples, once: it saves time where an example is read more than once, by several stages or trainings.
"""

from __future__ import annotations

import argparse
import atexit
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor

from hypersd.distill.losses import jump_loss
from hypersd.distill.student import Student
from hypersd.distill.tscd import STAGES, TrajectorySegmentedConsistency
from hypersd.models.model_source import ModelSource
from hypersd.training.adapters import adapter_weights, add_adapter, ema_update
from hypersd.training.data import CaptionedLatents
from hypersd.training.memory import PeakMemory, storage_bytes
from hypersd.training.objective import StepContext
from hypersd.training.optimization import Optimization
from hypersd.training.row_shards import RowShards, write_shards
from hypersd.training.schedule import offset_noise

STAGE = STAGES[0]
PROMPT = "a big cat on a blue background"
OURS, CACHED, PLAIN = "hypersd", "hypersd with a teacher cache", "plain loop"
Step = Callable[[int], float]


def context(number: int) -> StepContext:
    """Random numbers of a step, the same for both."""
    generator, rng = torch.Generator().manual_seed(number), np.random.default_rng(number)
    return StepContext(number=number, progress=0.0, device=torch.device("cpu"), generator=generator, rng=rng)


def batch_of(student: Student, number: int, size: int) -> CaptionedLatents:
    """Latents of a step, the same for both."""
    rng = np.random.default_rng((1, number))
    latents = torch.from_numpy(rng.standard_normal((size, *student.latent_shape), dtype=np.float32))
    return CaptionedLatents(latents, [PROMPT] * size)


def ours(folder: Path, size: int, cached: int = 0) -> tuple[Step, list[Any]]:
    """A training step of this package, and the objects that it holds in memory.

    Args:
        folder: of the family.
        size: samples a step.
        cached: number of steps whose teacher's results are read from a cache, as `--teacher-cache` makes it, but of the
            same draws as the other loops'; 0 asks the teacher at each step.
    """
    torch.manual_seed(0)
    student = Student(ModelSource(folder))
    objective = TrajectorySegmentedConsistency(student, STAGE)
    (network,) = objective.networks
    moving = Optimization(Accelerator(cpu=True), objective.networks, max_grad_norm=1.0, ema_decay=None)
    cache = teacher_cache(objective, size, cached) if cached else None

    def run(number: int) -> float:
        step, batch = context(number), batch_of(student, number, size)
        if cache is not None:
            rows = cache[np.arange(number * size, (number + 1) * size)]
            batch = objective.draw(batch, step).with_prediction(torch.from_numpy(rows).float())
        losses = objective.loss("student", batch, step)
        moving.backward(network, losses["loss"])
        measured = moving.clip(network, losses)
        moving.step(network, network.learning_rate)
        objective.after_step(step)
        return measured["loss"]

    return run, [student.unet, objective.average, moving.optimizers["student"]]


def teacher_cache(objective: TrajectorySegmentedConsistency, size: int, steps: int) -> RowShards:
    """The teacher's results of some steps, in shards on disk that exist until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="teacher-cache-")
    atexit.register(folder.cleanup)

    def compute(rows: range) -> Tensor:
        number = rows.start // size
        drawn = objective.draw(batch_of(objective.student, number, size), context(number))
        return drawn.predict(objective.student, objective.grid.time(drawn.starts))

    shape = objective.student.latent_shape
    return write_shards(
        Path(folder.name), compute, count=steps * size, shape=shape, source={}, batch_size=size, label="teacher"
    )


def plain(folder: Path, size: int) -> tuple[Step, list[Any]]:
    """A training step of the plain loop, and the objects that it holds in memory."""
    torch.manual_seed(0)
    student = Student(ModelSource(folder))
    objective = TrajectorySegmentedConsistency(student, STAGE)  # for its grid and its choices
    accelerator, config, schedule = Accelerator(cpu=True), objective.config, student.schedule
    teacher, target, unet = student.plain_unet().requires_grad_(False), student.plain_unet(), student.unet
    add_adapter(target, student.rank)
    target.requires_grad_(False)
    ema_update(adapter_weights(target), student.weights, 0.0)
    for each in (teacher, target, unet):
        each.set_attn_processor(AttnProcessor2_0())
    rate, guidance = objective.networks[0].learning_rate, config.guidance
    assert guidance is not None, "TSCD's teacher is guided"
    optimizer = torch.optim.AdamW(student.weights, lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    unet, optimizer = accelerator.prepare(unet, optimizer)

    def run(number: int) -> float:
        step, batch = context(number), batch_of(student, number, size)
        student.text = replace(student.text)  # with nothing encoded yet
        with_prompt, without = student.text.conditioning(batch.captions), student.text.conditioning([""] * size)
        starts = objective.grid.starts(size, step.generator, config.share_of_ends)
        start_times, next_times = objective.grid.time(starts), objective.grid.time(starts - 1)
        noise = offset_noise(batch.latents.shape, step, config.offset_noise)
        last = (start_times == schedule.num_train_timesteps - 1).view(-1, 1, 1, 1)
        noisy = torch.where(last, noise, schedule.add_noise(batch.latents, noise, start_times))
        scale = step.uniform(*guidance, size).view(-1, 1, 1, 1)
        end_times = objective.grid.ends(starts, step.uniform(0, 1, size))
        predicted: Tensor = unet(noisy, start_times, **with_prompt).sample
        arrived = schedule.ddim_step(noisy, predicted, start_times, end_times)
        with torch.no_grad():
            known = teacher(noisy, start_times, **with_prompt).sample
            free = teacher(noisy, start_times, **without).sample
            nearer = schedule.ddim_step(noisy, free + scale * (known - free), start_times, next_times)
            wanted = schedule.ddim_step(nearer, target(nearer, next_times, **with_prompt).sample, next_times, end_times)
        loss = jump_loss(arrived, wanted, schedule.leverage(start_times, end_times).clamp(min=1))
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(student.weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema_update(adapter_weights(target), student.weights, config.ema_decay)
        return float(loss.detach())

    return run, [unet, teacher, target, optimizer]


def held_bytes(held: list[Any]) -> int:
    """Bytes of networks, lists of tensors, and optimisers' states."""
    total = 0
    for each in held:
        if isinstance(each, torch.nn.Module):
            total += storage_bytes([*each.parameters(), *each.buffers()])
        elif isinstance(each, list):
            total += storage_bytes(each)
        else:
            total += sum(storage_bytes(slots.values()) for slots in each.state_dict()["state"].values())
    return total


def measured(folder: Path, size: int, rounds: int, steps: int) -> dict[str, Any]:
    """The loops' times of the processor, in turn, their memory, and their losses."""
    count = 2 + rounds * steps
    loops = {OURS: ours(folder, size), CACHED: ours(folder, size, cached=count), PLAIN: plain(folder, size)}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    losses: dict[str, list[float]] = {name: [run(0)] for name, (run, _) in loops.items()}
    for number in range(1, 1 + rounds * steps):
        for name, (run, _) in loops.items():
            begun = time.process_time()
            losses[name].append(run(number))
            seconds[name].append(time.process_time() - begun)
    memory: dict[str, int] = {}
    for name, (run, held) in loops.items():
        with PeakMemory() as peak:
            losses[name].append(run(count - 1))
        memory[name] = held_bytes(held) + peak.peak
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    apart = {name: max(map(abs, np.subtract(losses[name], losses[PLAIN]))) for name in (OURS, CACHED)}
    return {
        "processor's seconds of a step": medians,
        "times as fast as the plain loop": {name: medians[PLAIN] / medians[name] for name in (OURS, CACHED)},
        "peak bytes": memory,
        "share of the plain loop's memory": {name: memory[name] / memory[PLAIN] for name in (OURS, CACHED)},
        "largest loss": max(losses[PLAIN]),
        "largest difference of the losses": apart,
        "losses": losses,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("assets/emoji-xl"))
    for name, usual in (("batch", 8), ("rounds", 3), ("steps", 4)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    numbers = measured(options.folder, options.batch, options.rounds, options.steps)
    if options.json:
        print(json.dumps(numbers, indent=1))
        return
    for name, value in numbers.items():
        if name != "losses":
            print(f"{name}: {json.dumps(value)}")


if __name__ == "__main__":
    main()
