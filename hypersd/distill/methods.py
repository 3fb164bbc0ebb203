"""Run a distillation method on a family that lives in a folder: `python -m hypersd distill METHOD`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState

from hypersd.distill.catalog import METHODS, Need
from hypersd.distill.distillation_task import DistillationTask
from hypersd.distill.student import Student
from hypersd.models.loading import ModelSource
from hypersd.training.data import CaptionedData
from hypersd.training.records import RECORD, hash_file, hash_folder, open_record

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
    parts = {part: hash_folder(folder / part) for part in _PARTS}
    configuration: dict[str, Any] = {
        "method": method,
        "seed": seed,
        "shorten": shorten,
        "batch_size": batch_size or chosen.batch_size,
        "adapter": hash_file(few_steps) if Need.ADAPTER in chosen.needs else None,
        "family": parts,
        "examples": examples.fingerprint,
    }
    open_record(out, configuration, trained=trained, main=state.is_main_process)
    torch.manual_seed(seed)
    prompts = examples.held_out_prompts(SAMPLE_PROMPTS)
    student = Student(ModelSource(folder), device=state.device or torch.device("cpu"), sample_prompts=prompts)
    chosen.training()(
        DistillationTask(
            student=student,
            examples=examples,
            data=data or out,
            batch_size=batch_size or chosen.batch_size,
            out=out,
            few_steps=few_steps,
            parts=parts,
            seed=seed,
            shorten=shorten,
        )
    )
