"""Options of `distill` that change how a method trains; each default is the method's own choice."""

from __future__ import annotations

import argparse
import math
from typing import get_args

from hypersd.cli.arguments import argument, learning_rate, names, whole_number
from hypersd.distill.catalog import METHODS, Need, RealScore, methods_that_need
from hypersd.distill.distillation_options import FEWEST_TEACHER_STEPS, MOST_GUIDANCE, RANK, DistillationOptions

_MOST_RANK, _MOST_BATCH, _MOST_STEPS = 1024, 65_536, 10_000_000
_MOST_CACHED = 100_000_000


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("training", "Without these a method trains as it did the shipped models.")
    group.add_argument(
        "--rank", type=argument(_rank), default=RANK, metavar="N", help=f"of the adapter (default: {RANK})"
    )
    group.add_argument(
        "--rate", type=argument(learning_rate), metavar="X", help="learning rate of the student, such as 1e-5"
    )
    batches = ", ".join(f"{name} {method.batch_size}" for name, method in METHODS.items())
    group.add_argument(
        "--batch", type=argument(_batch), metavar="N", help=f"samples a step, over all processes (default: {batches})"
    )
    group.add_argument(
        "--accumulate",
        type=argument(_batch),
        default=1,
        metavar="N",
        help="compute a step's samples in N passes, to save memory; the batch stays what it is (default: 1)",
    )
    group.add_argument(
        "--guidance",
        type=argument(_guidance),
        metavar="LOW,HIGH",
        help="the teacher's scale is drawn from this range; one number for a method with one scale",
    )
    group.add_argument(
        "--stages", type=argument(names), metavar="A,B", help="train these stages and leave out the others"
    )
    group.add_argument(
        "--steps", type=argument(_steps), metavar="N,N", help="of each stage that is trained, or one number for all"
    )
    group.add_argument(
        "--precision",
        choices=("bf16", "fp16", "no"),
        default="bf16",
        help="bf16 where the device computes in it, fp16 with scaled losses, or float32 (default: bf16)",
    )
    group.add_argument(
        "--optimizer",
        choices=("adamw", "adamw8bit"),
        default="adamw",
        help="adamw8bit is bitsandbytes' (default: adamw)",
    )
    group.add_argument(
        "--gradient-checkpointing",
        action=argparse.BooleanOptionalAction,
        help="compute activations again for the gradient, to save memory (default: beyond 256 px)",
    )
    group.add_argument(
        "--real",
        choices=get_args(RealScore),
        help="the score that one-step distillation follows: the few-step model's (consistency, the default), or the "
        "guided base's (base: plain DMD)",
    )
    group.add_argument(
        "--teacher-cache",
        type=argument(_cached),
        metavar="N",
        help="draw N of the teacher's steps once, and train on random ones of them: a step then needs no call of the "
        f"teacher (for {', '.join(methods_that_need(Need.TEACHER_STEPS))})",
    )
    group.add_argument(
        "--tracker", metavar="NAME", help="also log to tensorboard, wandb or another tracker of accelerate's"
    )


def distillation_options(options: argparse.Namespace) -> DistillationOptions:
    """The options that were typed."""
    return DistillationOptions(
        rank=options.rank,
        learning_rate=options.rate,
        guidance=options.guidance,
        stages=options.stages,
        steps=options.steps,
        accumulate=options.accumulate,
        precision=options.precision,
        optimizer=options.optimizer,
        gradient_checkpointing=options.gradient_checkpointing,
        real=options.real,
        teacher_cache=options.teacher_cache,
        tracker=options.tracker,
    )


def _rank(text: str) -> int:
    return whole_number(text, 1, _MOST_RANK, "rank")


def _batch(text: str) -> int:
    return whole_number(text, 1, _MOST_BATCH, "the number")


def _cached(text: str) -> int:
    return whole_number(text, FEWEST_TEACHER_STEPS, _MOST_CACHED, "the number")


def _steps(text: str) -> tuple[int, ...]:
    return tuple(whole_number(part, 1, _MOST_STEPS, "steps") for part in text.split(","))


def _guidance(text: str) -> tuple[float, float]:
    values = [_number(part) for part in text.split(",")]
    if len(values) > 2 or not all(0 <= value <= MOST_GUIDANCE for value in values) or values != sorted(values):
        raise ValueError(f"expected one number or LOW,HIGH between 0 and {MOST_GUIDANCE:g}, not {text[:40]!r}")
    return values[0], values[-1]


def _number(text: str) -> float:
    """A number; NaN, which is in no range, for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
