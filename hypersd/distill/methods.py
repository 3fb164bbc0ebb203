"""Run a distillation method on the family in a folder: `python -m hypersd distill METHOD`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hypersd.distill.catalog import METHODS, Need, check_clip_needed, check_feedback
from hypersd.distill.distillation_options import DistillationOptions
from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.one_step import FeedbackLoss
from hypersd.distill.student import Student
from hypersd.models.model_source import ModelSource
from hypersd.training.data import CaptionedData
from hypersd.training.optimization import check_optimizer
from hypersd.training.processes import joined_processes
from hypersd.training.records import RECORD, hash_file, hash_folder, open_record
from hypersd.training.training_config import check_tracker

__all__ = ["METHODS", "DistillationTask", "distill"]

SAMPLE_PROMPTS = 8

_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")


def distill(
    method: str,
    *,
    folder: Path,
    examples: CaptionedData,
    out: Path,
    data: Path | None = None,
    adapter: Path | None = None,
    variant: str | None = None,
    vae: Path | None = None,
    resume: bool = False,
    shorten: float = 1.0,
    batch_size: int | None = None,
    options: DistillationOptions | None = None,
    feedback: FeedbackLoss | None = None,
    seed: int = 0,
) -> None:
    """Distil the base model in `folder` and write adapters (diffusers format) and logs to `out`.

    Args:
        method: one of `METHODS`.
        folder: of a diffusers pipeline of SDXL's or SD1.5's shape.
        examples: what is trained on.
        out: where everything goes.
        data: a folder with `latents.npy` of `hypersd emoji train`, or with the `jumps.npy` or `pairs.npy` of an earlier
            `backward` or `one-step`; missing files are created there, or in `out` if it is None or for short runs.
        adapter: of few steps, for `backward` and `one-step` to start from; None means the folder's own hyper.
        variant: of the pipeline's weight files ("fp16").
        vae: a folder whose VAE replaces the pipeline's own.
        resume: continue the run in `out`; without it, `out` must be new.
        shorten: factor on every stage's number of steps and on the examples, for quick tests.
        batch_size: samples per step, over all processes and passes; None means the method's own.
        options: other options, or None.
        feedback: an additional human-feedback loss for methods with score distillation.
        seed: of every random number.

    Raises:
        ValueError: the method is unknown, or an option is not for it or not for this machine; or `out` already holds
            a training and `resume` is false, or holds one with other settings.
        OSError: the folder has no base model, the data is missing, or `out` cannot be written.
        DivergedError: a loss is not finite; the last checkpoint is as it was.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; the methods are {', '.join(METHODS)}")
    options = options or DistillationOptions()
    chosen, state = METHODS[method], joined_processes()
    size = batch_size or chosen.batch_size
    check_options(method, options, size, state.num_processes)
    trained = check_out(out, resume=resume)
    few_steps = adapter or folder / "adapters" / "hyper.safetensors"
    check_clip_needed(method, folder)
    check_feedback(method, wanted=feedback is not None)
    if Need.ADAPTER in chosen.needs and not few_steps.exists():
        raise FileNotFoundError(f"{few_steps}: no such adapter; {method} needs {Need.ADAPTER.value}")
    parts = {part: hash_folder(vae if vae and part == "vae" else folder / part) for part in _PARTS}
    configuration: dict[str, Any] = {
        "method": method,
        "seed": seed,
        "shorten": shorten,
        "batch_size": size,
        "options": asdict(options),
        "adapter": hash_file(few_steps) if Need.ADAPTER in chosen.needs else None,
        "family": parts,
        "examples": examples.fingerprint,
        "feedback": None if feedback is None else feedback.fingerprint,
    }
    state.wait_for_everyone()  # all processes have checked for a training before one starts it
    with state.main_process_first():
        open_record(out, configuration, trained=trained, main=state.is_main_process)
    torch.manual_seed(seed)
    prompts = examples.held_out_prompts(SAMPLE_PROMPTS)
    student = Student(
        ModelSource(folder, variant, vae),
        rank=options.rank,
        gradient_checkpointing=options.gradient_checkpointing,
        device=state.device or torch.device("cpu"),
        sample_prompts=prompts,
    )
    chosen.trainer()(
        DistillationTask(
            method=method,
            student=student,
            examples=examples,
            data=data or out,
            batch_size=size,
            out=out,
            few_steps=few_steps,
            parts=parts,
            options=options,
            feedback=feedback,
            seed=seed,
            shorten=shorten,
        )
    )
    state.wait_for_everyone()


def check_out(out: Path, *, resume: bool) -> bool:
    """True if a training in `out` can be resumed.

    Raises:
        ValueError: there is a training, and `resume` is false.
    """
    trained = any(out.glob("*/state/state.json"))
    if not resume and (trained or (out / RECORD).exists()):
        raise ValueError(f"{out} already holds a training; add --resume to continue it, or choose another folder")
    return trained


def check_options(method: str, options: DistillationOptions, batch_size: int, processes: int) -> None:
    """Check that options are valid for a method and this machine.

    Raises:
        ValueError: one is not.
    """
    options.check(method)
    if batch_size % (shards := processes * options.accumulate):
        raise ValueError(
            f"a batch of {batch_size} cannot be spread evenly over {processes} processes and {options.accumulate} "
            f"passes; choose a multiple of {shards}"
        )
    check_optimizer(options.optimizer)
    check_tracker(options.tracker)
