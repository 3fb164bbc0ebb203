"""The methods of tuning, known without loading anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

TuningMethod = Literal["refl", "dpo"]

METHODS: Mapping[TuningMethod, str] = MappingProxyType(
    {
        "refl": "reward feedback learning (Hyper-SD, section 3.2)",
        "dpo": "Diffusion-DPO, from the votes themselves",
    }
)
"""Each method's title."""

LEARNING_RATES: Mapping[TuningMethod, float] = MappingProxyType({"refl": 3e-4, "dpo": 1e-4})
"""Each method's own learning rate, for adapters of several steps."""

SINGLE_STEP_RATE = 3e-5
"""Learning rate of `refl` for an adapter of one step alone: with the usual one the pictures of a single call stop
fitting their prompts before the reward has gained what voters see (`docs/loop/claims.md`)."""


def default_rate(method: TuningMethod, steps: Sequence[int]) -> float:
    """The learning rate for an adapter that is run at these numbers of steps."""
    if method == "refl" and max(steps) == 1:
        return SINGLE_STEP_RATE
    return LEARNING_RATES[method]
