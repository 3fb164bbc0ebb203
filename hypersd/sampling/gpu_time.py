"""Seconds of a GPU for which a visitor asks before drawing, where GPU time is counted (ZeroGPU)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypersd.models.specs import Family
from hypersd.sampling.planning import PlannedRun, plan_run, planned
from hypersd.sampling.request import Generation, Request

_TFLOP_A_SECOND = 40.0
"""Stated speed in half precision: a third of what an A100 reaches with SDXL, and less than the cards of ZeroGPU."""

_CALL_SECONDS, _DECODE_SECONDS = 0.05, 0.1
"""Stated least times of a UNet call and of a decode: small networks wait for the processor."""

_START_SECONDS = 3.0
_PLACED_SECONDS_A_GB, _UNPLACED_SECONDS_A_GB = 0.2, 1.5
"""Stated times until weights are on the GPU: of those that were loaded before, and of those that are read from disk."""

_MARGIN = 1.5
_FACTORS = (0.1, 4.0)
_MEASURED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightLoad:
    """Weights that a GPU call begins with, in GB: those in memory already, and those on disk."""

    placed_gb: float
    unplaced_gb: float


@dataclass(frozen=True)
class GPUTime:
    """Estimate of GPU seconds, from stated speeds and from the times of the last pictures."""

    _factors: dict[str, deque[float]] = field(default_factory=dict[str, deque[float]])

    def record(self, family: Family, request: Request, drawn: Generation) -> None:
        """Learn from a finished picture, unless it failed."""
        if drawn.image is None or not drawn.calls:
            return
        run = plan_run(family, family.spec(drawn.model), drawn.steps, request.parameters)
        stated = picture_seconds(family, run)
        self._factors.setdefault(family.name, deque(maxlen=_MEASURED)).append(drawn.seconds / stated)

    def seconds(self, family: Family, requests: Sequence[Request], load: WeightLoad, *, preview_every: int = 0) -> int:
        """Whole seconds to ask for, for all pictures of these requests in one call.

        Args:
            family: of the requests.
            requests: drawn one after another.
            load: weights that the call begins with.
            preview_every: steps between previews; 0 without previews.

        Raises:
            ValueError: a model is unknown, or does not run as requested.
        """
        work = sum(
            len(request.seeds) * picture_seconds(family, run, preview_every=preview_every)
            for request in requests
            for run in planned(family, request)
        )
        least, most = _FACTORS
        measured = min(most, max(least, *self._factors.get(family.name, [1.0]), least))
        loading = _START_SECONDS + load.placed_gb * _PLACED_SECONDS_A_GB + load.unplaced_gb * _UNPLACED_SECONDS_A_GB
        return math.ceil(loading + _MARGIN * measured * work)


def picture_seconds(family: Family, run: PlannedRun, *, preview_every: int = 0) -> float:
    """Stated seconds of one picture: its UNet calls, its decode, and its previews' decodes."""
    width, height = run.size
    share = width * height / family.pixels**2
    call = max(_CALL_SECONDS, share * family.unet_tflop / _TFLOP_A_SECOND)
    decode = max(_DECODE_SECONDS, share * family.decode_tflop / _TFLOP_A_SECOND)
    previews = (run.recipe.steps - 1) // preview_every if preview_every else 0
    return run.recipe.calls * call + (1 + previews) * decode
