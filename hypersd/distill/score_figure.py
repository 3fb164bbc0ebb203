"""Figure 3 of the Hyper-SD paper, measured: errors of one-step predictions over time."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import torch
from matplotlib.figure import Figure

from hypersd.distill.score_error import ScoreErrors, score_errors
from hypersd.distill.student import Student
from hypersd.models.model_source import ModelSource
from hypersd.models.specs import Family
from hypersd.utils.files import atomic_path, write_text

CONSISTENCY = "consistency model"
_NAME = "figure-3"


def score_models(family: Family, model: str = "hyper") -> tuple[Student, Student]:
    """The base of a family on disk, and the same with the adapter of a model that draws in two steps or more.

    Raises:
        OSError: a part of the family is missing.
        ValueError: the family has no folder, or the model no such adapter.
    """
    weights = next((recipe.weights for recipe in family.spec(model).recipes if recipe.steps > 1), None)
    if family.folder is None or weights is None or weights.kind != "lora" or weights.file is None:
        raise ValueError(f"{family.name} has no adapter of {model} on disk, so its score cannot be measured")
    source = ModelSource(family.folder)
    return Student(source), Student(source, few_steps=family.folder / weights.file)


def write_score_figure(family: Family, prompts: Sequence[str], folder: Path, *, seed: int, command: str) -> list[Path]:
    """Measure on the base's own paths, and write the figure, its numbers and its caption; returns the files.

    Args:
        family: with an adapter on disk.
        prompts: a path each.
        folder: where the files go.
        seed: of the noise.
        command: that makes the figure.

    Raises:
        OSError: a part of the family is missing, or the folder cannot be written.
        ValueError: as `score_models`.
    """
    errors = score_errors(*score_models(family), prompts, seed=seed)
    files = [folder / f"{_NAME}{ending}" for ending in (".png", ".csv", ".md")]
    with atomic_path(files[0]) as part:
        score_figure(errors).savefig(part, dpi=120, format="png")
    write_text(files[1], numbers(errors))
    caption = [
        f"Figure 3. Error of one look at a noisy picture: {family.title}, {len(prompts)} prompts.",
        *findings(errors),
        f"Made by `{command}`.",
    ]
    write_text(files[2], "\n".join(caption) + "\n")
    return files


def score_figure(errors: ScoreErrors) -> Figure:
    """Mean error of each model over time, with the standard error of the mean as a band."""
    drawing = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = drawing.subplots()
    for name, values in errors.errors.items():
        mean, spread = values.mean(dim=1), values.std(dim=1, correction=0) / values.shape[1] ** 0.5
        axes.plot(errors.times, mean.tolist(), label=name)
        axes.fill_between(errors.times, (mean - spread).tolist(), (mean + spread).tolist(), alpha=0.2)
    axes.set(xlabel="t", ylabel="error of the predicted picture (latents, RMS)", yscale="log")
    axes.legend()
    axes.grid(alpha=0.3)
    return drawing


def numbers(errors: ScoreErrors) -> str:
    """CSV: a row a time, the mean error of each model."""
    text = StringIO()
    table = csv.writer(text)
    table.writerow(["t", *errors.errors])
    for place, time in enumerate(errors.times):
        table.writerow([time, *(f"{float(values[place].mean()):.4f}" for values in errors.errors.values())])
    return text.getvalue()


def findings(errors: ScoreErrors) -> list[str]:
    """Sentences: at which times the consistency model errs less than each score of the base."""
    consistent = errors.errors[CONSISTENCY].mean(dim=1)
    lines: list[str] = []
    for name, values in errors.errors.items():
        if name == CONSISTENCY:
            continue
        less = torch.nonzero(consistent < values.mean(dim=1)).flatten().tolist()
        times = ", ".join(str(errors.times[place]) for place in less) or "none"
        lines.append(
            f"The consistency model errs less than the {name} at {len(less)} of {len(errors.times)} times: {times}."
        )
    return lines
