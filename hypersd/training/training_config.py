"""Configuration of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from hypersd.training.optimization import OptimizerName
from hypersd.training.precision import Precision


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Configuration of a training run.

    Args:
        out: folder of the run: `run.json`, `state/`, `log.jsonl`, `samples/`, and the objective's files.
        steps: total number of optimiser steps.
        decay_from: fraction of the steps after which the learning rate falls linearly to zero.
        warmup: steps over which the learning rate rises linearly from zero.
        ema_decay: decay of the moving average of the first network's weights; None keeps none.
        accumulate: number of passes for a step's samples, to save memory; their gradients are accumulated.
        optimizer: see `build_optimizer`.
        precision: see `half_precision`.
        tracker: an accelerate tracker that also receives the losses (`tensorboard`, `wandb`, …); None for none.
        save_every: seconds between checkpoints.
        sample_every: steps between sample grids; 0 draws none.
        cpu: stay on the CPU even if there is an accelerator.
    """

    out: Path
    steps: int
    seed: int = 0
    warmup: int = 100
    decay_from: float = 0.5
    max_grad_norm: float = 1.0
    ema_decay: float | None = None
    accumulate: int = 1
    optimizer: OptimizerName = "adamw"
    precision: Precision = "bf16"
    tracker: str | None = None
    log_every: int = 20
    save_every: float = 120.0
    sample_every: int = 0
    cpu: bool = False

    def configuration(self) -> dict[str, Any]:
        """Settings that affect the trained weights, for the run's record."""
        names = ("steps", "seed", "warmup", "decay_from", "max_grad_norm", "ema_decay", "accumulate", "optimizer")
        return {name: getattr(self, name) for name in (*names, "precision")}


def grids(steps: int, count: int = 4, fewest: int = 40) -> int:
    """Steps between sample grids: at most `count` are drawn, and none (0) in a training of under `fewest` steps."""
    return -(-steps // count) if steps >= fewest else 0


def check_tracker(name: str | None) -> None:
    """Check that accelerate supports a tracker, and that its library is installed.

    Raises:
        ValueError: the tracker is unknown, or not installed.
    """
    if name is not None and name not in LOGGER_TYPE_TO_CLASS:
        raise ValueError(f"unknown tracker {name!r}; accelerate knows {', '.join(LOGGER_TYPE_TO_CLASS)}")
    if name is not None and name not in map(str, get_available_trackers()):
        raise ValueError(f"the tracker {name} is not installed: run `pip install {name}`, or train without it")
