"""Expected time of a request on a CPU, before anything is drawn."""

from __future__ import annotations

from hypersd.models.cpu_precision import compute_dtype, convolution_speed
from hypersd.models.machine import Machine
from hypersd.models.registry import is_large
from hypersd.models.specs import Family
from hypersd.sampling.planning import planned
from hypersd.sampling.request import Request

_EFFICIENCY = 0.5
"""Speed of whole networks as a part of a single convolution's: attention and normalisation are slower."""

_LONG_SECONDS = 90
"""Seconds from which on a time is told in minutes."""


def expected_seconds(family: Family, request: Request, machine: Machine) -> float:
    """Seconds that drawing a request takes on a CPU, without loading; 0 if unknown: on a GPU, for small families.

    It is an estimate from the networks' numbers of operations and from a probe of the processor's speed.

    Raises:
        ValueError: a model is unknown, or does not run as requested.
    """
    if machine.device != "cpu" or not family.unet_tflop or not is_large(family, machine):
        return 0.0
    tflop = 0.0
    for run in planned(family, request):
        width, height = run.size
        share = width * height / family.pixels**2
        tflop += share * (run.recipe.calls * family.unet_tflop + family.decode_tflop)
    speed = _EFFICIENCY * convolution_speed(compute_dtype(family, machine))
    return len(request.seeds) * tflop / speed


def expected_time(family: Family, request: Request, machine: Machine) -> str:
    """The expected time as a sentence for the visitor; empty if it is unknown."""
    seconds = expected_seconds(family, request, machine)
    if not seconds:
        return ""
    return f"This takes about {duration(seconds)} on the CPU."


def duration(seconds: float) -> str:
    """A duration in words, in whole seconds or minutes: at least one second."""
    if seconds >= _LONG_SECONDS:
        return f"{seconds / 60:.0f} minutes"
    whole = max(1, round(seconds))
    return f"{whole} second{'s' if whole > 1 else ''}"
