"""One adapter out of two: the few-step one and the feedback's, at the weight that validation prompts ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import Module

from hypersd.distill.student import Student
from hypersd.feedback.loop.results import SweepResult
from hypersd.feedback.tuning.monitor import RewardHackingMonitor, ValidationMetrics
from hypersd.training.adapter_passes import swapped_adapter
from hypersd.utils.files import atomic_path

_DOWN = "lora_A.weight"
WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FEW_WEIGHTS = (0.0, 0.4, 1.0)
"""For a shortened tuning, where drawing with each weight takes longer than the training."""


@dataclass(frozen=True, slots=True)
class MergePoint:
    """Metrics of the student with the feedback's adapter at a weight, and the violation of a limit, if any."""

    weight: float
    metrics: ValidationMetrics
    violation: str

    @property
    def result(self) -> SweepResult:
        """The point as it is kept in files."""
        return SweepResult(weight=self.weight, objection=self.violation, **asdict(self.metrics))

    @classmethod
    def of(cls, result: SweepResult) -> MergePoint:
        """The point of a result that was read."""
        metrics = {each.name: getattr(result, each.name) for each in fields(ValidationMetrics)}
        return cls(result.weight, ValidationMetrics(**metrics), result.objection)


def sweep(student: Student, monitor: RewardHackingMonitor, weights: Sequence[float]) -> list[MergePoint]:
    """Look at the student with its adapter at each weight; without it, it was looked at before its training."""
    points: list[MergePoint] = []
    for weight in weights:
        check = monitor.start if weight == 0 else _evaluated(student, monitor, weight)
        points.append(MergePoint(weight, check, monitor.violation(check, monitor.start.second)))
    return points


def _evaluated(student: Student, monitor: RewardHackingMonitor, weight: float) -> ValidationMetrics:
    with swapped_adapter(student.unet, _weighted(student, weight)):
        return monitor.validation.evaluate()[0]


def _weighted(student: Student, weight: float) -> list[Tensor]:
    """The adapter's weights, its change of the model multiplied: one of the two factors is."""
    named = [(name, value) for name, value in student.unet.named_parameters() if "lora_" in name]
    return [value.detach() * (weight if "lora_B" in name else 1.0) for name, value in named]


def choose(points: Sequence[MergePoint]) -> MergePoint:
    """The weight with the highest mean of both rewards, of those that nothing speaks against.

    The second model's votes were not learned from: it has half a say, so that what only pleases the first gains less.

    Raises:
        ValueError: there is none; weight 0, the untuned model, is always one.
    """
    allowed = [point for point in points if not point.violation]
    if not allowed:
        raise ValueError("every weight violates a limit; include 0, the untuned model")
    return max(allowed, key=lambda point: point.metrics.reward + point.metrics.second)


def concatenate(few_steps: Mapping[str, Tensor], feedback: Mapping[str, Tensor], weight: float) -> dict[str, Tensor]:
    """One adapter that does exactly what two do, in the diffusers key format: their ranks one after the other.

    B₁A₁ + w·B₂A₂ = [B₁, w·B₂]·[A₁; A₂], for linear and convolution layers alike. A layer that only one of them adapts
    gets zeros for the other: all layers of one file have one rank.

    Raises:
        ValueError: they are adapters of different models.
    """
    both = (few_steps, feedback)
    ranks = [max(value.shape[0] for name, value in layers.items() if name.endswith(_DOWN)) for layers in both]
    merged: dict[str, Tensor] = {}
    for name in sorted(few_steps.keys() | feedback.keys()):
        along = 0 if name.endswith(_DOWN) else 1
        parts = [_padded(layers.get(name), rank, along) for layers, rank in zip(both, ranks, strict=True)]
        like = next(part for part in parts if part is not None)
        filled = [
            like.new_zeros([rank if axis == along else size for axis, size in enumerate(like.shape)])
            if part is None
            else part
            for part, rank in zip(parts, ranks, strict=True)
        ]
        try:
            merged[name] = torch.cat([filled[0], filled[1] * (1.0 if along == 0 else weight)], dim=along)
        except RuntimeError as error:
            raise ValueError(f"the two are adapters of different models: {name}") from error
    return merged


def _padded(value: Tensor | None, rank: int, along: int) -> Tensor | None:
    """With zeros up to a rank: a layer smaller than the adapter's rank has its own."""
    if value is None or value.shape[along] == rank:
        return value
    missing = [rank - size if axis == along else size for axis, size in enumerate(value.shape)]
    return torch.cat([value, value.new_zeros(missing)], dim=along)


def write_merged(few_steps: Mapping[str, Tensor], feedback: Mapping[str, Tensor], weight: float, file: Path) -> None:
    """Write the one adapter in the diffusers key format, half precision.

    Raises:
        ValueError: as `concatenate`.
        OSError: the file cannot be written.
    """
    layers: dict[str, Module | Tensor] = {
        name.removeprefix("unet."): value.half() for name, value in concatenate(few_steps, feedback, weight).items()
    }
    with atomic_path(file, durable=True) as part:
        StableDiffusionXLPipeline.save_lora_weights(part.parent, unet_lora_layers=layers, weight_name=part.name)


def figure(points: Sequence[MergePoint], chosen: float) -> Figure:
    """Both rewards against the distance to the untuned model, a point a weight."""
    drawing = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = drawing.subplots()
    distances = [point.metrics.distance for point in points]
    axes.plot(distances, [point.metrics.reward for point in points], marker="o", label="reward that was pleased")
    axes.plot(distances, [point.metrics.second for point in points], marker="s", label="reward of other votes")
    for point in points:
        mark = " (chosen)" if point.weight == chosen else ""
        axes.annotate(
            f"{point.weight:g}{mark}",
            (point.metrics.distance, point.metrics.reward),
            textcoords="offset points",
            xytext=(4, 4),
            fontsize=8,
        )
    axes.set(xlabel="distance to the untuned model", ylabel="reward")
    axes.legend()
    axes.grid(alpha=0.3)
    return drawing
